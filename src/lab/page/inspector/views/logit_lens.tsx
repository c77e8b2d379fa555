/** The logit lens: what the model would say if it stopped after each layer. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { literal, subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart } from './asked_chart.tsx';
import { focusOf, inLayers, observedTensors } from './focus.ts';
import { lensCode } from './observed_code.ts';

/** Columns that a table has room for with their tokens. */
const MOST_COLUMNS = 20;
const KEY = 'lens.norm';

export const logitLens: View = {
  id: 'lens',
  title: 'Logit lens',
  says: 'What the model would say next if it stopped after a layer: where its answer comes up, and where it changes its mind.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    if (!subject) return null;
    const { code, name } = lensCode(subject, normOf(inspector));
    const positions = windowOf(inspector);
    return `${code}\ndisplay(await charts.logitLens(${name}${positions ? `, ${literal({ positions })}` : ''}));`;
  },
  tensors(inspector) {
    const norm = normOf(inspector);
    const names = inLayers(inspector, 'lens_ids', 'lens_probabilities', 'lens_entropy');
    return observedTensors(inspector, { lens: { norm } }, names);
  },
};

const normOf = ({ settings }: Inspector): boolean => settings.value[KEY] !== 'no';

/** Around the token that is looked at, where the text has more than there is room for. */
function windowOf(inspector: Inspector): [start: number, end: number] | null {
  const count = inspector.run.value?.tokens.length ?? 0;
  if (count <= MOST_COLUMNS) return null;
  const start = Math.max(0, Math.min(focusOf(inspector, 'locked').token - MOST_COLUMNS / 2, count - MOST_COLUMNS));
  return [start, start + MOST_COLUMNS];
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [, setNorm] = useSetting(inspector, KEY, 'yes');
  const norm = normOf(inspector);
  const positions = windowOf(inspector);
  return (
    <>
      <div class="controls">
        <label title="The last layer is always read through it; without it earlier layers seem less sure than they are">
          <input type="checkbox" checked={norm} onChange={() => setNorm(norm ? 'no' : 'yes')} />
          through the model’s final norm
        </label>
      </div>
      <AskedChart
        inspector={inspector}
        call={{ chart: 'logitLens', options: { norm, ...(positions ? { positions } : {}) } }}
      />
    </>
  );
}
