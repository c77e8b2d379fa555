/** The charts of a comparison, as Vega-Lite specs. */
import type { Chart } from '../../../charts/chart.ts';
import { comparisonCharts as chartsOf } from '../../../charts/comparison_charts.ts';
import { comparisonOf } from '../comparisons.ts';
import type { Request } from '../request.ts';
import type { Sides } from '../sides.ts';

export const comparisonCharts: Request<Sides, Chart[]> = async (session, sides, watch) =>
  chartsOf((await comparisonOf(session, sides, watch)).comparison);
