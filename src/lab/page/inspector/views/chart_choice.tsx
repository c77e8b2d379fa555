/** A view that shows one of a few charts which take no options: a setting says which, buttons change it, a cell draws it. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import { hasRow } from './focus.ts';
import { Buttons } from './pickers.tsx';

export interface ChartChoice<Name extends string> {
  /** The chart that the setting names; the first where it names none of them. */
  of(inspector: Inspector): Name;
  readonly Choose: (props: { readonly inspector: Inspector }) => JSX.Element;
  /** As `View.cell`. */
  cell(inspector: Inspector): string | null;
}

export function chartChoice<Name extends string>({
  setting,
  label,
  charts,
  needs,
}: {
  readonly setting: string;
  readonly label: string;
  /** What the button of each says; the first is shown at first. */
  readonly charts: Readonly<Record<Name, string>>;
  /** The first tensor that all of them read. */
  readonly needs: string;
}): ChartChoice<Name> {
  const [first] = Object.keys(charts) as [Name];
  const of = ({ settings }: Inspector): Name => {
    const value = settings.value[setting] ?? '';
    return Object.hasOwn(charts, value) ? (value as Name) : first;
  };
  return {
    of,
    Choose({ inspector }) {
      const [, choose] = useSetting(inspector, setting, first);
      return <Buttons label={label} options={charts} value={of(inspector)} onChange={choose} />;
    },
    cell(inspector) {
      const subject = subjectOf(inspector);
      if (!subject || !hasRow(inspector, needs)) return null;
      return `${subject.code}\ndisplay(await charts.${of(inspector)}(${subject.name}));`;
    },
  };
}
