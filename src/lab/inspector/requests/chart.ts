/** One of our charts over an experiment's run, as a Vega-Lite spec. */

import type { Chart } from '../../../charts/chart.ts';
import * as charts from '../../../charts/index.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';

/** A chart's name with the options that it takes, all plain data. */
export type ChartCall =
  | { readonly chart: 'attention'; readonly options: charts.AttentionOptions }
  | { readonly chart: 'attentionGrid'; readonly options: charts.AttentionGridOptions }
  | { readonly chart: 'rmsGrowth'; readonly options: Record<never, never> }
  | { readonly chart: 'topK'; readonly options: { readonly position?: number; readonly k?: number } };

export const chart: Request<{ readonly experiment: Experiment } & ChartCall, Chart> = async (session, call) => {
  const run = await session.run(call.experiment);
  switch (call.chart) {
    case 'attention':
      return charts.attention(run, call.options);
    case 'attentionGrid':
      return charts.attentionGrid(run, call.options);
    case 'rmsGrowth':
      return charts.rmsGrowth(run, call.options);
    case 'topK':
      return charts.topK(run, call.options);
    default:
      return call satisfies never;
  }
};
