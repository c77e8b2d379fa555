/** From logits to a token: how many candidates each stage of the sampler left, and where the drawn token stood after it. */
import type { Sampled } from '../engine/run.ts';
import type { Stage } from '../engine/sampler.ts';
import { TraceError } from '../errors.ts';
import { shown, tokenLabel } from '../trace/token_label.ts';
import type { Trace } from '../trace/trace.ts';
import { CATEGORIES, type Chart, chart, type Layers, percent, rounded } from './chart.ts';
import { type Source, traceOf } from './source.ts';

export interface SamplerStagesOptions {
  /** Which of the drawn tokens, from 0; negative counts from the end. Default -1, the last. */
  readonly index?: number;
}

const STAGE_LABELS: Readonly<Record<Stage['name'], string>> = {
  logits: 'model’s logits',
  penalty: 'repetition penalty',
  temperature: 'temperature',
  topK: 'top-k',
  topP: 'top-p',
  minP: 'min-p',
};

interface Row {
  readonly stage: string;
  readonly kept: number;
  readonly removed: number;
  readonly rank: number;
  readonly probability: number;
  readonly keptLabel: string;
  readonly probabilityLabel: string;
}

/**
 * The stages that changed anything, in order, for one drawn token. Throws TraceError where no token was drawn, or there is
 * none at that index.
 */
export async function samplerStages(source: Source, { index = -1 }: SamplerStagesOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  const drawn = drawnAt(trace, index);
  const rows = drawn.stages.map(
    ({ name, kept, removed, rank, probability }): Row => ({
      ...{ stage: STAGE_LABELS[name], kept, removed, rank, probability: rounded(probability) },
      keptLabel: removed > 0 ? `${kept} (${removed} removed)` : `${kept}`,
      probabilityLabel: percent(probability),
    }),
  );
  const [first, last] = [rows[0], rows.at(-1)];
  const token = shown(drawn.piece);
  const after = tokenLabel(trace, drawn.position - 1);
  return chart(
    {
      title: `How ${token} was drawn after ${after}`,
      subtitle: ['Each row is a stage of the sampler, in order; stages that changed nothing are left out'],
      description:
        `Bar charts by sampler stage: ${token} began at rank ${first?.rank} of ${first?.kept} with ${percent(first?.probability ?? 0)} ` +
        `and was drawn at rank ${last?.rank} of ${last?.kept} with ${percent(last?.probability ?? 0)}.`,
    },
    {
      data: { values: rows },
      hconcat: [
        panel(rows, {
          field: 'kept',
          label: 'keptLabel',
          title: 'candidates left (log scale)',
          scale: powersOfTen(first?.kept),
          format: '~s',
        }),
        panel(rows, {
          field: 'rank',
          label: 'rank',
          title: `rank of ${token} (log scale)`,
          scale: powersOfTen(Math.max(...rows.map(({ rank }) => rank))),
          format: '~s',
        }),
        panel(rows, {
          ...{ field: 'probability', label: 'probabilityLabel', title: `probability of ${token}` },
          ...{ scale: { domain: [0, Math.max(...rows.map((row) => row.probability))], nice: true }, format: '.0%' },
        }),
      ],
    },
  );
}

function drawnAt({ end }: Trace, index: number): Sampled {
  const sampled = Array.isArray(end?.sampled) ? (end.sampled as readonly Sampled[]) : [];
  const drawn = sampled.at(index);
  if (drawn && Number.isInteger(index)) return drawn;
  const found = sampled.length === 0 ? 'no token was drawn; call run.generate(1) first' : `found index ${index}`;
  const wanted = sampled.length === 0 ? '' : `; wanted one from 0 to ${sampled.length - 1}, or negative from the end`;
  throw new TraceError(`Cannot draw sampler stages: ${found}${wanted}`);
}

interface PanelParts {
  readonly field: 'kept' | 'rank' | 'probability';
  /** The field beside the bar. */
  readonly label: string;
  readonly title: string;
  readonly scale: { type?: 'log'; domain: number[]; nice?: boolean };
  readonly format: string;
}

/** From 1, so that a bar's length is its power of ten. */
function powersOfTen(most = 1): PanelParts['scale'] {
  return { type: 'log', domain: [1, Math.max(10, most)], nice: true };
}

function panel(rows: readonly Row[], { field, label, title, scale, format }: PanelParts): Layers {
  const isFirst = field === 'kept';
  return {
    width: 200,
    height: { step: 26 },
    encoding: {
      y: {
        ...{ field: 'stage', type: 'nominal', sort: rows.map(({ stage }) => stage), title: isFirst ? 'stage' : null },
        axis: { labels: isFirst, labelLimit: 200, ticks: false, domain: false },
      },
      x: { field, type: 'quantitative', title, scale, axis: { format, tickCount: 3, labelOverlap: 'greedy' } },
      tooltip: [
        { field: 'stage', type: 'nominal', title: 'after stage' },
        { field: 'kept', type: 'quantitative', title: 'candidates left', format: 'd' },
        { field: 'removed', type: 'quantitative', title: 'removed', format: 'd' },
        { field: 'rank', type: 'quantitative', title: 'rank', format: 'd' },
        { field: 'probability', type: 'quantitative', title: 'probability', format: '.4%' },
      ],
    },
    layer: [
      { mark: { type: 'bar', color: CATEGORIES[5] }, encoding: { x2: { datum: scale.domain[0] as number } } },
      {
        mark: { type: 'text', align: 'left', dx: 4 },
        encoding: { text: { field: label, type: 'nominal' }, x: { value: 0 } },
      },
    ],
  };
}
