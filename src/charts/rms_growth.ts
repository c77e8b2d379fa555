/**
 * How the residual stream grows: the RMS of what each layer leaves (`l_out`) and of what its two halves add (`attn_out`,
 * `ffn_out`). With a reference beside it cosine and relative RMS error, because faults that turn vectors, such as those of
 * RoPE, leave every RMS as it was.
 */
import type { Tensor } from '../trace/tensor.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, type Layers, rounded, short, type Unit } from './chart.ts';
import { layersOf, mustBeOfOneText, type Source, textOf, tokenRows, traceOf } from './source.ts';

export interface RmsGrowthOptions {
  /** Drawn dashed on top, for the same tokens: another backend, llama.cpp, a healthy model. */
  readonly reference?: Source;
}

/** In the legend's order. */
const STEMS = ['l_out', 'attn_out', 'ffn_out'] as const;
const MEANINGS: Readonly<Record<string, string>> = {
  l_out: 'l_out, what the layer leaves',
  attn_out: 'attn_out, what attention adds',
  ffn_out: 'ffn_out, what the feed-forward adds',
};

/** Nothing can be drawn at 0 on a log scale; below f32's rounding (6e-8) two values are as good as equal. */
const LEAST_ERROR = 1e-8;

interface Point {
  readonly layer: number;
  readonly tensor: string;
  readonly name: string;
  readonly run: string;
  readonly rms: number;
}

interface Agreement {
  readonly layer: number;
  readonly tensor: string;
  readonly name: string;
  readonly cosine: number;
  /** ‖ours − reference‖ / ‖reference‖. */
  readonly error: number;
  /** The same, but never less than can be drawn. */
  readonly drawn: number;
}

/**
 * RMS over all tokens and dimensions of `l_out`, `attn_out` and `ffn_out` at each layer, on a log scale.
 *
 * Without a reference it needs statistics only; with one, the values of those tensors in both. Throws TraceError where
 * they are missing, or where the two runs are over different tokens.
 */
export async function rmsGrowth(source: Source, { reference }: RmsGrowthOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  if (!reference) return growthChart(trace, points(trace, 'this run'));
  const other = traceOf(reference);
  mustBeOfOneText(trace, other, 'RMS growth against a reference');
  const agreements = await agreementOf(trace, other);
  return comparisonChart(trace, [...points(trace, 'this run'), ...points(other, REFERENCE)], agreements);
}

function points(trace: Trace, run: string): Point[] {
  const layers = layersOf(trace, 'l_out', 'RMS growth');
  return STEMS.flatMap((stem) =>
    layers.flatMap((layer) => {
      const name = `${stem}-${layer}`;
      const rows = trace.entries.filter((row) => row.name === name);
      const rms = rounded(rmsOver(rows));
      return rows.length > 0 ? { layer, tensor: MEANINGS[stem] as string, name, run, rms } : [];
    }),
  );
}

/** One RMS from that of each pass. */
function rmsOver(rows: readonly TraceRow[]): number {
  let squares = 0;
  let count = 0;
  for (const { statistics } of rows) {
    const finite = statistics.n - statistics.nanCount - statistics.infCount;
    squares += statistics.rms ** 2 * finite;
    count += finite;
  }
  return count === 0 ? 0 : Math.sqrt(squares / count);
}

async function agreementOf(trace: Trace, other: Trace): Promise<Agreement[]> {
  const agreements: Agreement[] = [];
  for (const stem of STEMS) {
    for (const layer of layersOf(trace, stem, 'RMS growth')) {
      const name = `${stem}-${layer}`;
      const ours = (await tokenRows(trace, name, 'RMS growth')).tensor;
      const theirs = (await tokenRows(other, name, 'RMS growth against a reference')).tensor;
      const error = relativeRmsError(ours, theirs);
      agreements.push({
        ...{ layer, tensor: MEANINGS[stem] as string, name },
        cosine: Math.min(1, ours.cosine(theirs)),
        ...{ error, drawn: Math.max(LEAST_ERROR, error) },
      });
    }
  }
  return agreements;
}

function relativeRmsError(ours: Tensor, theirs: Tensor): number {
  return ours.sub(theirs).norm() / theirs.norm();
}

const REFERENCE = 'reference';
const LINE = { type: 'line', point: { size: 45 }, strokeWidth: 2 } as const;

const layerAxis = {
  field: 'layer',
  type: 'quantitative',
  title: 'layer',
  axis: { tickMinStep: 1, format: 'd', grid: false },
  scale: { nice: false, padding: 12 },
} as const;

const colour = {
  field: 'tensor',
  type: 'nominal',
  title: 'tensor',
  scale: { domain: STEMS.map((stem) => MEANINGS[stem] as string), range: CATEGORIES.slice(0, STEMS.length) },
  legend: { orient: 'bottom', columns: 1 },
} as const;

const namedTooltip = [
  { field: 'name', type: 'nominal', title: 'tensor' },
  { field: 'layer', type: 'quantitative', title: 'layer', format: 'd' },
] as const;

function growthPanel(values: readonly Point[], width: number): Layers {
  const drawn = values.filter(({ rms }) => rms > 0);
  const y = {
    field: 'rms',
    type: 'quantitative',
    title: 'RMS (log scale)',
    scale: { type: 'log', nice: true },
    axis: { format: '~g', tickCount: 6 },
  } as const;
  const rms = { field: 'rms', type: 'quantitative', title: 'RMS', format: FOUR_DIGITS } as const;
  const run = { field: 'run', type: 'nominal', title: 'run' } as const;
  const tooltip = [...namedTooltip, rms, run];
  const ours: Unit = {
    data: { values: drawn.filter((point) => point.run !== REFERENCE) },
    mark: LINE,
    encoding: { x: layerAxis, y, color: colour, tooltip },
  };
  const theirs: Unit = {
    data: { values: drawn.filter((point) => point.run === REFERENCE) },
    mark: { type: 'line', color: 'black', strokeWidth: 1.5, strokeDash: [4, 4] },
    encoding: { x: layerAxis, y, detail: { field: 'tensor', type: 'nominal' }, tooltip },
  };
  const hasReference = values.some((point) => point.run === REFERENCE);
  return { width, height: 280, layer: hasReference ? [ours, theirs] : [ours] };
}

function growthChart(trace: Trace, all: readonly Point[]): Chart {
  return chart(
    {
      title: 'How the residual stream grows from layer to layer',
      subtitle: [textOf(trace), ...oddities(trace, all)],
      description: `Line chart: ${growthSentence(all)}.`,
    },
    growthPanel(all, 460),
  );
}

function comparisonChart(trace: Trace, all: readonly Point[], agreements: readonly Agreement[]): Chart {
  const errors = agreements.map(({ error }) => error).filter(Number.isFinite);
  const worst = agreements.reduce((a, b) => (b.error > a.error ? b : a));
  const lowest = Math.min(...agreements.map(({ cosine }) => cosine).filter(Number.isFinite));
  const panel = { width: 185, height: 280, data: { values: [...agreements] } } as const;
  return chart(
    {
      title: 'How the residual stream grows, and where it parts from the reference',
      subtitle: [
        textOf(trace),
        'Left, black and dashed: the reference. Two runs can have the same RMS and point elsewhere: read all three',
        ...(errors.some((error) => error < LEAST_ERROR)
          ? [`An error below ${LEAST_ERROR} is drawn at ${LEAST_ERROR}`]
          : []),
        ...oddities(trace, all),
      ],
      description:
        `Three line charts over layers: ${growthSentence(all)}; against the reference the relative RMS error is at most ` +
        `${short(Math.max(0, ...errors))}, at ${worst.name}, and the cosine at least ${short(lowest)}.`,
    },
    {
      hconcat: [
        growthPanel(all, 300),
        {
          ...{ ...panel, mark: LINE },
          encoding: {
            x: layerAxis,
            y: {
              field: 'cosine',
              type: 'quantitative',
              title: 'cosine (1 = same direction)',
              scale: { domain: [Math.min(0.9999, lowest - 0.05 * (1 - lowest)), 1], nice: false },
              axis: { tickCount: 5 },
            },
            color: colour,
            tooltip: [...namedTooltip, { field: 'cosine', type: 'quantitative', title: 'cosine', format: '.7f' }],
          },
        },
        {
          ...{ ...panel, mark: LINE },
          encoding: {
            x: layerAxis,
            y: {
              field: 'drawn',
              type: 'quantitative',
              title: 'relative RMS error (log)',
              scale: { type: 'log' },
              axis: { format: '.0e', tickCount: 6 },
            },
            color: colour,
            tooltip: [
              ...namedTooltip,
              { field: 'error', type: 'quantitative', title: 'relative RMS error', format: '.3e' },
            ],
          },
        },
      ],
    },
  );
}

function growthSentence(all: readonly Point[]): string {
  const stream = all.filter(({ run, tensor }) => run === 'this run' && tensor === MEANINGS.l_out);
  const [first, last] = [stream[0], stream.at(-1)];
  if (!first || !last) return 'no layer has been run';
  return `the RMS of the residual stream goes from ${short(first.rms)} after layer ${first.layer} to ${short(last.rms)} after layer ${last.layer}`;
}

/** What the log scale and the statistics leave out. */
function oddities(trace: Trace, all: readonly Point[]): string[] {
  const zeros = all.filter(({ rms }) => rms === 0).map(({ name }) => name);
  const drawn = new Set(all.map(({ name }) => name));
  const broken = trace.entries.filter(
    ({ name, statistics }) => drawn.has(name) && statistics.nanCount + statistics.infCount > 0,
  );
  return [
    ...(zeros.length > 0 ? [`All zero, so not drawn: ${zeros.join(', ')}`] : []),
    ...(broken.length > 0
      ? [`NaN or Inf, left out of the RMS: ${[...new Set(broken.map(({ name }) => name))].join(', ')}`]
      : []),
  ];
}
