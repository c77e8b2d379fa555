/** How tokens rise and fall: their rank among all tokens if the model stopped after each layer. Needs the logit lens. */
import { UsageError } from '../errors.ts';
import { tokenLabel } from '../trace/token_label.ts';
import { CATEGORIES, type Chart, chart, rounded } from './chart.ts';
import { lensLayers, normSaid } from './lens_rows.ts';
import { idLabels, rowAt, type Source, textOf, tokenId, traceOf, type Vocabulary, vocabularyOf } from './source.ts';

export interface RankTrajectoryOptions {
  /** Up to seven ids, or texts of one token each; by default the last layer's three likeliest. */
  readonly tokens?: readonly (number | string)[];
  /** After which token; negative counts from the end. Default -1, the last. */
  readonly position?: number;
  /** What ids spell, for a trace read from a file; a run knows. */
  readonly tokenizer?: Vocabulary;
}

interface Point {
  readonly layer: number;
  readonly token: string;
  readonly rank: number;
  readonly logit: number;
}

/**
 * The rank of chosen tokens in `lens_logits-<layer>`, 1 the likeliest, on a log scale. Throws TraceError where the run
 * had no lens, UsageError where a token is none, or there are more than seven.
 */
export async function rankTrajectory(source: Source, options: RankTrajectoryOptions = {}): Promise<Chart> {
  const { position = -1, tokenizer } = options;
  const trace = traceOf(source);
  const layers = lensLayers(trace, 'rank trajectories');
  const last = await rowAt(trace, `lens_ids-${layers.at(-1)}`, position, 'rank trajectories');
  const vocabulary = vocabularyOf(source, tokenizer);
  const given = options.tokens?.map((token) => tokenId(token, vocabulary));
  const ids = [...new Set(given ?? last.values.slice(0, 3))];
  if (ids.length === 0 || ids.length > CATEGORIES.length)
    throw new UsageError(`Cannot tell the ranks of ${ids.length} tokens apart: give 1 to ${CATEGORIES.length}`);
  const labels = idLabels(source, ids, tokenizer);
  const points: Point[] = [];
  let nVocab = 0;
  for (const layer of layers) {
    const { values } = await rowAt(trace, `lens_logits-${layer}`, position, 'rank trajectories');
    nVocab = values.length;
    for (const id of ids) {
      const logit = values[id];
      if (logit === undefined)
        throw new UsageError(`Cannot draw the rank of token ${id}: ids go from 0 to ${nVocab - 1}`);
      points.push({ layer, token: labels.get(id) as string, rank: rankOf(values, id), logit: rounded(logit) });
    }
  }
  const after = tokenLabel(trace, last.position);
  return chart(
    {
      title: `How candidates after ${after} rise from layer to layer`,
      subtitle: [
        textOf(trace),
        `Rank 1 is the likeliest of ${nVocab} tokens if the model stopped there`,
        ...normSaid(trace),
      ],
      description: `Line chart of ranks by layer after ${after}: ${[...labels.values()].map((token) => said(token, points)).join('; ')}.`,
    },
    {
      width: 460,
      height: 260,
      data: { values: points },
      mark: { type: 'line', point: { size: 45 }, strokeWidth: 2 },
      encoding: {
        x: {
          ...{ field: 'layer', type: 'quantitative', title: 'after layer' },
          ...{ axis: { tickMinStep: 1, format: 'd', grid: false }, scale: { nice: false, padding: 12 } },
        },
        y: {
          ...{ field: 'rank', type: 'quantitative', title: 'rank (log scale, 1 on top)' },
          scale: {
            type: 'log',
            reverse: true,
            domain: [1, Math.max(10, ...points.map(({ rank }) => rank))],
            nice: false,
          },
          axis: { format: 'd', tickCount: 5 },
        },
        color: {
          field: 'token',
          type: 'nominal',
          title: 'token',
          sort: [...labels.values()],
          scale: { range: [...CATEGORIES] },
        },
        tooltip: [
          { field: 'token', type: 'nominal', title: 'token' },
          { field: 'layer', type: 'quantitative', title: 'layer', format: 'd' },
          { field: 'rank', type: 'quantitative', title: 'rank', format: 'd' },
          { field: 'logit', type: 'quantitative', title: 'logit', format: '.4f' },
        ],
      },
    },
  );
}

/** 1 + how many are larger, of equals the lower id first. */
function rankOf(logits: Float32Array, id: number): number {
  const own = logits[id] as number;
  return logits.reduce((rank, logit, other) => rank + (logit > own || (logit === own && other < id) ? 1 : 0), 1);
}

function said(token: string, points: readonly Point[]): string {
  const own = points.filter((point) => point.token === token);
  return `${token} from ${own[0]?.rank} to ${own.at(-1)?.rank}`;
}
