/** How large the residual stream gets: layer by layer, token by token, and which dimensions carry it. */
import type { JSX } from 'preact';
import type { Inspector } from '../state.ts';
import type { View } from '../view.ts';
import { AskedChart, Needs } from './asked_chart.tsx';
import { chartChoice } from './chart_choice.tsx';
import { hasRow, inLayers, tensorsOf } from './focus.ts';

const FIRST = 'l_out-0';

const shown = chartChoice({
  setting: 'growth.show',
  label: 'Size of the residual stream',
  charts: { rmsGrowth: 'By layer', residualNorm: 'By token', outlierDimensions: 'By dimension' },
  needs: FIRST,
});

export const growth: View = {
  id: 'growth',
  title: 'Growth',
  says: 'How large the residual stream gets, the vector that runs through all layers and that each of them adds to.',
  Body,
  cell: shown.cell,
  tensors(inspector) {
    const stems = shown.of(inspector) === 'rmsGrowth' ? ['attn_out', 'ffn_out', 'l_out'] : ['l_out'];
    const names = inLayers(inspector, ...stems).filter((name) => hasRow(inspector, name));
    return names.length > 0 ? tensorsOf(inspector, names) : null;
  },
};

function Body({ inspector }: { readonly inspector: Inspector }): JSX.Element {
  return (
    <>
      <div class="controls">
        <shown.Choose inspector={inspector} />
      </div>
      <Needs inspector={inspector} name={FIRST}>
        <AskedChart inspector={inspector} call={{ chart: shown.of(inspector), options: {} }} />
      </Needs>
    </>
  );
}
