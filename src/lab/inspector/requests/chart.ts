/** One of our charts over an experiment's run or trace, as a Vega-Lite spec. */
import type { Chart } from '../../../charts/chart.ts';
import * as charts from '../../../charts/index.ts';
import type { AttributionOptions } from '../../../engine/transforms/attribution.ts';
import type { LensOptions } from '../../../engine/transforms/lens.ts';
import type { Watch } from '../../../platform.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun, type Observer, type Session } from '../session.ts';

type NoOptions = Readonly<Record<never, never>>;

/** A chart's name with the options that it takes, all plain data. */
export type ChartCall =
  | { readonly chart: 'attention'; readonly options: charts.AttentionOptions }
  | { readonly chart: 'attentionGrid'; readonly options: charts.AttentionGridOptions }
  | { readonly chart: 'attentionEntropy'; readonly options: NoOptions }
  | { readonly chart: 'headScores'; readonly options: NoOptions }
  /** With the run of another experiment over the same tokens drawn on top. */
  | { readonly chart: 'rmsGrowth'; readonly options: { readonly reference?: Experiment } }
  | { readonly chart: 'residualNorm'; readonly options: NoOptions }
  | { readonly chart: 'distribution'; readonly options: charts.DistributionOptions }
  | { readonly chart: 'outlierDimensions'; readonly options: charts.OutlierOptions }
  | { readonly chart: 'topK'; readonly options: { readonly position?: number; readonly k?: number } }
  | { readonly chart: 'steps'; readonly options: charts.StepsOptions }
  | ObservedCall;

/** Charts of a run with observers: one over the same tokens is made for them and kept. A trace must have been run with them. */
type ObservedCall =
  | { readonly chart: 'logitLens'; readonly options: LensOptions & Pick<charts.LogitLensOptions, 'positions'> }
  | {
      readonly chart: 'rankTrajectory';
      readonly options: Pick<LensOptions, 'norm'> & Pick<charts.RankTrajectoryOptions, 'tokens' | 'position'>;
    }
  | {
      readonly chart: 'attribution';
      readonly options: AttributionOptions & Pick<charts.AttributionChartOptions, 'position'>;
    };

export const chart: Request<{ readonly experiment: Experiment } & ChartCall, Chart> = async (session, call, watch) => {
  const { experiment } = call;
  const subject = await session.subject(experiment);
  switch (call.chart) {
    case 'attention':
      return charts.attention(subject, call.options);
    case 'attentionGrid':
      return charts.attentionGrid(subject, call.options);
    case 'attentionEntropy':
      return charts.attentionEntropy(subject);
    case 'headScores':
      return charts.headScores(subject);
    case 'rmsGrowth': {
      const { reference } = call.options;
      return charts.rmsGrowth(subject, reference ? { reference: await session.subject(reference) } : {});
    }
    case 'residualNorm':
      return charts.residualNorm(subject);
    case 'distribution':
      return charts.distribution(subject, call.options);
    case 'outlierDimensions':
      return charts.outlierDimensions(subject, call.options);
    case 'topK':
      return charts.topK(subject, call.options);
    case 'steps':
      // A trace does not tell what a step reads: it has no such diagram.
      return charts.steps(await session.run(experiment), call.options);
    case 'logitLens': {
      const { positions, ...lens } = call.options;
      return charts.logitLens(await observed(session, experiment, { lens }, watch), positions ? { positions } : {});
    }
    case 'rankTrajectory': {
      const { norm, ...options } = call.options;
      const lens = norm === undefined ? {} : { norm };
      return charts.rankTrajectory(await observed(session, experiment, { lens }, watch), options);
    }
    case 'attribution': {
      const { position, ...attribution } = call.options;
      const source = await observed(session, experiment, { attribution }, watch);
      return charts.attribution(source, position === undefined ? {} : { position });
    }
    default:
      return call satisfies never;
  }
};

async function observed(
  session: Session,
  experiment: Experiment,
  observer: Observer,
  watch: Watch,
): Promise<charts.Source> {
  const subject = await session.subject(experiment);
  return isRun(subject) ? session.observed(experiment, observer, watch) : subject;
}
