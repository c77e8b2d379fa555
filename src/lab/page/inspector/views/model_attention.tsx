/** Every head of every layer at once: which are worth a closer look. */
import type { JSX } from 'preact';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { chartChoice } from './chart_choice.tsx';
import { hasRow, inLayers, tensorsOf } from './focus.ts';
import { HeadGrid } from './head_grid.tsx';
import { HeadKeys } from './pickers.tsx';

const FIRST = 'kq_soft_max-0';

const shown = chartChoice({
  setting: 'heads.show',
  label: 'Show of the heads',
  charts: { attentionGrid: 'Where they look', attentionEntropy: 'How widely', headScores: 'What kind they are' },
  needs: FIRST,
});

export const modelAttention: View = {
  id: 'heads',
  title: 'All heads',
  says: 'The attention of the whole model: a row for each layer, a small picture for each head. Click one to choose it.',
  Body,
  cell: shown.cell,
  tensors(inspector) {
    const names = inLayers(inspector, 'kq_soft_max').filter((name) => hasRow(inspector, name));
    return names.length > 0 ? tensorsOf(inspector, names) : null;
  },
};

/** Heads of a layer that our chart has room for in a pane. */
const MOST_IN_CHART = 12;

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  const chart = shown.of(inspector);
  const isGrid = chart === 'attentionGrid' && (inspector.opened.value?.config.nHead ?? 0) > MOST_IN_CHART;
  return (
    <>
      <div class="controls">
        <shown.Choose inspector={inspector} />
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
