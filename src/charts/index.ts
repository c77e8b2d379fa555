/** Charts: from a trace, or a run, to a Vega-Lite spec. Pure functions; each waits only for the values it reads. */
export { type AttentionOptions, attention } from './attention.ts';
export { attentionEntropy } from './attention_entropy.ts';
export { type AttentionGridOptions, attentionGrid } from './attention_grid.ts';
export { type AttributionChartOptions, attribution } from './attribution.ts';
export type { Chart } from './chart.ts';
export { type DistributionOptions, distribution } from './distribution.ts';
export { headScores } from './head_scores.ts';
export { type LogitLensOptions, logitLens } from './logit_lens.ts';
export { type OutlierOptions, outlierDimensions } from './outlier_dimensions.ts';
export { precisionLadder } from './precision_ladder.ts';
export { type RankTrajectoryOptions, rankTrajectory } from './rank_trajectory.ts';
export { residualNorm } from './residual_norm.ts';
export { type RmsGrowthOptions, rmsGrowth } from './rms_growth.ts';
export { type SamplerStagesOptions, samplerStages } from './sampler_stages.ts';
export type { Source, Vocabulary } from './source.ts';
export { type StepSource, type StepsOptions, steps } from './steps.ts';
export { type TopKOptions, topK } from './top_k.ts';
