/** How large the residual stream gets: layer by layer, token by token, and which dimensions carry it. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { hasRow, inLayers, tensorsOf } from './focus.ts';
import { Buttons } from './pickers.tsx';

const SHOWN = {
  rmsGrowth: 'By layer',
  residualNorm: 'By token',
  outlierDimensions: 'By dimension',
} as const;
type Shown = keyof typeof SHOWN;

export const growth: View = {
  id: 'growth',
  title: 'Growth',
  says: 'How large the residual stream gets, the vector that runs through all layers and that each of them adds to.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    if (!subject || !hasRow(inspector, FIRST)) return null;
    return `${subject.code}\ndisplay(await charts.${shownOf(inspector)}(${subject.name}));`;
  },
  tensors(inspector) {
    const stems = shownOf(inspector) === 'rmsGrowth' ? ['attn_out', 'ffn_out', 'l_out'] : ['l_out'];
    const names = inLayers(inspector, ...stems).filter((name) => hasRow(inspector, name));
    return names.length > 0 ? tensorsOf(inspector, names) : null;
  },
};

const FIRST = 'l_out-0';
const KEY = 'growth.show';

function shownOf({ settings }: Inspector): Shown {
  const value = settings.value[KEY] ?? '';
  return Object.hasOwn(SHOWN, value) ? (value as Shown) : 'rmsGrowth';
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [, setShown] = useSetting(inspector, KEY, 'rmsGrowth');
  const chart = shownOf(inspector);
  return (
    <>
      <div class="controls">
        <Buttons label="Size of the residual stream" options={SHOWN} value={chart} onChange={setShown} />
      </div>
      <Needs inspector={inspector} name={FIRST}>
        <AskedChart inspector={inspector} call={{ chart, options: {} }} />
      </Needs>
    </>
  );
}
