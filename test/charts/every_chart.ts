/**
 * Every chart once, and again with each option that draws something else, from runs of the shipped model. The tests of what
 * all charts have in common walk this list; a chart of `charts` that is not in it fails them.
 *
 * Runs are on the reference backend, so that no bit depends on an adapter.
 */
import { fileURLToPath } from 'node:url';
import type { Comparison } from '../../src/compare/comparison.ts';
import { attribution, change, charts, lens, openModel, type Run } from '../../src/node/index.ts';
import { bug, turned } from '../compare/comparisons.ts';
import { shippedMatrix } from './detection.ts';
import { shippedLadder } from './ladder.ts';

const PROMPT = 'Lily gave the ball to Tom. Tom thanked';

const open = (file: string) =>
  openModel(fileURLToPath(new URL(`../../fixtures/${file}`, import.meta.url)), { backend: 'reference' });

/** What charts are drawn from. */
export interface Runs {
  /** With a lens and an attribution, at its end. */
  readonly run: Run;
  /** In the middle of a layer. */
  readonly begun: Run;
  /** Of which a token was drawn. */
  readonly drawn: Run;
  /** Of the same text, with a lens that leaves the final norm out. */
  readonly bare: Run;
  /** Of the same text and weights, rounded to Q4_0. */
  readonly rounded: Run;
  /** Of the same text, without a head of layer 1 at the token Tom. */
  readonly changed: Run;
  /** In which one head is wrong, and one that turns vectors and moves no RMS; made by hand. */
  readonly comparison: Comparison;
  readonly turned: Comparison;
  /** Whose ranks are followed. */
  readonly candidates: readonly (number | string)[];
}

export async function runsOfShipped(): Promise<Runs> {
  const model = await open('lily-4m-f16.gguf');
  const seen = model.with(lens(), attribution({ token: ' Lily', versus: ' Tom' }));
  const run = await seen.start(PROMPT).toEnd();
  const begun = await model.start(PROMPT).to('kq_soft_max-1');
  const drawn = await model.start('Lily gave the').generate(1, { temperature: 1.5, topK: 40, topP: 0.9, seed: 2 });
  const bare = await model
    .with(lens({ norm: false }))
    .start(PROMPT)
    .toEnd();
  const changed = await model
    .with(change('kqv_out-1', { how: 'zero', head: 4, token: 7 }))
    .start(PROMPT)
    .toEnd();
  const rounded = await (await open('lily-4m-q4_0.gguf')).start(PROMPT).toEnd();
  return { run, begun, drawn, bare, rounded, changed, comparison: bug, turned, candidates: [' Lily', ' Tom', ' ball'] };
}

/** What all runs have, the shortest too. */
const QK = { layer: 1, head: 4, query: 3, key: 1 };

export interface Drawing {
  /** The chart’s name in `charts`, and after a space what is different. */
  readonly title: string;
  readonly draw: (runs: Runs) => Promise<charts.Chart>;
}

export const everyChart: readonly Drawing[] = [
  { title: 'attention', draw: ({ run }) => charts.attention(run, { layer: 1, head: 4 }) },
  {
    title: 'attentionDifference',
    draw: ({ run, rounded }) => charts.attentionDifference(rounded, run, { layer: 1, head: 4 }),
  },
  { title: 'attentionEntropy', draw: ({ run }) => charts.attentionEntropy(run) },
  { title: 'attentionGrid', draw: ({ run }) => charts.attentionGrid(run) },
  { title: 'attentionGrid of one layer', draw: ({ run }) => charts.attentionGrid(run, { layer: 1 }) },
  { title: 'attribution', draw: ({ run }) => charts.attribution(run) },
  { title: 'detectionMatrix', draw: async () => charts.detectionMatrix(shippedMatrix) },
  { title: 'differenceGrowth', draw: ({ run, changed }) => charts.differenceGrowth(changed, run) },
  { title: 'differenceMap', draw: ({ run, changed }) => charts.differenceMap(changed, run) },
  { title: 'distribution', draw: ({ run }) => charts.distribution(run) },
  { title: 'errorGrowth', draw: ({ comparison }) => charts.errorGrowth(comparison) },
  { title: 'headScores', draw: ({ run }) => charts.headScores(run) },
  { title: 'logitLens', draw: ({ run }) => charts.logitLens(run) },
  { title: 'logitLens without the norm', draw: ({ bare }) => charts.logitLens(bare) },
  { title: 'logitsBeside', draw: ({ run, rounded }) => charts.logitsBeside(rounded, run) },
  { title: 'outlierDimensions', draw: ({ run }) => charts.outlierDimensions(run) },
  { title: 'precisionLadder', draw: async () => charts.precisionLadder(shippedLadder) },
  { title: 'qk', draw: ({ run }) => charts.qk(run, QK) },
  { title: 'qk by size', draw: ({ run }) => charts.qk(run, { ...QK, order: 'size' }) },
  { title: 'rankTrajectory', draw: ({ run, candidates }) => charts.rankTrajectory(run, { tokens: candidates }) },
  { title: 'residualNorm', draw: ({ run }) => charts.residualNorm(run) },
  { title: 'rmsBeside', draw: ({ turned }) => charts.rmsBeside(turned) },
  { title: 'rmsGrowth', draw: ({ run }) => charts.rmsGrowth(run) },
  {
    title: 'rmsGrowth against a reference',
    draw: ({ run, rounded }) => charts.rmsGrowth(rounded, { reference: run }),
  },
  { title: 'samplerStages', draw: ({ drawn }) => charts.samplerStages(drawn) },
  { title: 'steps', draw: ({ begun }) => charts.steps(begun, { layer: 1 }) },
  { title: 'topK', draw: ({ run }) => charts.topK(run) },
];
