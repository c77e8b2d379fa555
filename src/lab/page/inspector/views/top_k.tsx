/** What may come next: the likeliest tokens after the one that is looked at. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { focusOf, hasRow, tensorsOf } from './focus.ts';
import { Buttons } from './pickers.tsx';

const COUNTS = { 5: '5', 10: '10', 20: '20', 40: '40' } as const;
const KEY = 'next.k';
const OUTPUT = 'result_output';

export const topK: View = {
  id: 'next',
  title: 'Next token',
  says: 'What the model would say after a token: its likeliest continuations, with their probabilities.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    if (!subject || !hasRow(inspector, OUTPUT)) return null;
    const options = { position: focusOf(inspector, 'locked').token, k: countOf(inspector) };
    return `${subject.code}\ndisplay(await charts.topK(${subject.name}, ${literal(options)}));`;
  },
  tensors: (inspector) => tensorsOf(inspector, [OUTPUT]),
};

function countOf({ settings }: Inspector): number {
  const value = settings.value[KEY] ?? '10';
  return Object.hasOwn(COUNTS, value) ? Number(value) : 10;
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [, setCount] = useSetting(inspector, KEY, '10');
  const { token: position } = focusOf(inspector, 'rested');
  const k = countOf(inspector);
  return (
    <>
      <div class="controls">
        <span>How many</span>
        <Buttons
          label="How many tokens"
          options={COUNTS}
          value={`${k}` as `${keyof typeof COUNTS}`}
          onChange={setCount}
        />
        <span class="quiet">Choose the token that they follow on top</span>
      </div>
      <Needs inspector={inspector} name={OUTPUT}>
        <AskedChart inspector={inspector} call={{ chart: 'topK', options: { position, k } }} />
      </Needs>
    </>
  );
}
