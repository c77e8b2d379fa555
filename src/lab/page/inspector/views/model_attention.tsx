/** Every head of every layer at once: which are worth a closer look. */
import type { JSX } from 'preact';
import { useSetting } from '../answer.tsx';
import { subjectOf } from '../cells.ts';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { hasRow, inLayers, tensorsOf } from './focus.ts';
import { HeadGrid } from './head_grid.tsx';
import { Buttons, HeadKeys } from './pickers.tsx';

const SHOWN = {
  attentionGrid: 'Where they look',
  attentionEntropy: 'How widely',
  headScores: 'What kind they are',
} as const;
type Shown = keyof typeof SHOWN;

export const modelAttention: View = {
  id: 'heads',
  title: 'All heads',
  says: 'The attention of the whole model: a row for each layer, a small picture for each head. Click one to choose it.',
  Body,
  cell(inspector) {
    const subject = subjectOf(inspector);
    if (!subject || !hasRow(inspector, FIRST)) return null;
    return `${subject.code}\ndisplay(await charts.${shownOf(inspector)}(${subject.name}));`;
  },
  tensors(inspector) {
    const names = inLayers(inspector, 'kq_soft_max').filter((name) => hasRow(inspector, name));
    return names.length > 0 ? tensorsOf(inspector, names) : null;
  },
};

/** Heads of a layer that our chart has room for in a pane. */
const MOST_IN_CHART = 12;
const FIRST = 'kq_soft_max-0';
const KEY = 'heads.show';

function shownOf({ settings }: Inspector): Shown {
  const value = settings.value[KEY] ?? '';
  return Object.hasOwn(SHOWN, value) ? (value as Shown) : 'attentionGrid';
}

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const [, setShown] = useSetting(inspector, KEY, 'attentionGrid');
  const chart = shownOf(inspector);
  const isGrid = chart === 'attentionGrid' && (inspector.opened.value?.config.nHead ?? 0) > MOST_IN_CHART;
  return (
    <>
      <div class="controls">
        <Buttons label="Show of the heads" options={SHOWN} value={chart} onChange={setShown} />
        <Chosen inspector={inspector} />
      </div>
      <Needs inspector={inspector} name={FIRST}>
        {isGrid ? (
          <HeadKeys inspector={inspector}>
            <HeadGrid inspector={inspector} />
          </HeadKeys>
        ) : (
          <AskedChart inspector={inspector} call={{ chart, options: {} }} />
        )}
      </Needs>
    </>
  );
}

function Chosen({ inspector }: { readonly inspector: Inspector }) {
  const { layer, head } = inspector.locked.value;
  if (layer === null || head === null) return <span class="quiet">Click a head to choose it</span>;
  return (
    <button
      type="button"
      class="link"
      onClick={() => {
        inspector.view.value = 'attention';
      }}
    >
      Look at head {head} of layer {layer}
    </button>
  );
}
