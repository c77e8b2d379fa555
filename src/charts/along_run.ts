/** What charts of a comparison share: its tensors as points in the order of execution, and how each stands as colour and shape. */
import type { Comparison, TensorComparison } from '../compare/comparison.ts';
import { STANDINGS, type Standing, standingOf } from '../compare/report/standing.ts';
import { errorText, tensorLabel } from '../compare/report/tensor_table.ts';
import { TraceError } from '../errors.ts';
import { CATEGORIES, rounded } from './chart.ts';

/** A pair of tensors whose values were compared. */
export interface Point {
  /** Its place in the order of execution. */
  readonly order: number;
  readonly name: string;
  readonly op: string;
  readonly standing: string;
  /** As text, for NaN and Infinity are no JSON. */
  readonly error: string;
  /** The relative RMS error where a log scale can show it. */
  readonly drawn: number;
  readonly allowed: string;
  /** null where no rule speaks of it. */
  readonly limit: number | null;
  /** 1 - cosine where a log scale can show it. */
  readonly turned: number;
  readonly rmsOurs: number;
  readonly rmsReference: number;
}

/** Nothing can be drawn at 0 on a log scale; two f32 tensors that differ at all are further apart. */
export const LEAST_ERROR = 1e-9;
/** 1 - cosine goes with the square of the error. */
export const LEAST_TURN = 1e-16;
/** What a saved notebook bears. */
const MOST_POINTS = 1000;
/** Ticks of a panel. */
const MOST_DECADES = 8;

/** Throws TraceError where nothing was compared by its values; `chart` says what cannot be drawn. */
export function pointsOf(comparison: Comparison, chart: string): Point[] {
  const { tensors, refused, verdict } = comparison;
  if (verdict === 'refused') {
    const kinds = refused.map(({ kind }) => kind).join(', ');
    throw new TraceError(
      `Cannot draw ${chart}: the comparison was refused (${kinds}); make both the same experiment, or allow what differs`,
    );
  }
  const compared = tensors.flatMap((tensor, order) => (tensor.measure ? [{ ...tensor, order }] : []));
  const errors = compared.flatMap(({ measure }) => measure?.relativeRmsError ?? []).filter(Number.isFinite);
  if (compared.length === 0) {
    throw new TraceError(
      `Cannot draw ${chart}: of ${tensors.length} pairs of tensors none has values on both sides; ` +
        "compare traces that keep values, such as a run started with select: 'all'",
    );
  }
  const most = 10 * Math.max(LEAST_ERROR, ...errors, ...compared.map(({ tolerance }) => tolerance?.limit ?? 0));
  return worstOfEach(compared, comparison).map((tensor) => pointOf(comparison, tensor, most));
}

type Placed = TensorComparison & { readonly order: number };

/** In a long run one of several neighbours: the first divergence, else the one with the largest error. */
function worstOfEach(tensors: readonly Placed[], { firstDivergence: first }: Comparison): Placed[] {
  const size = Math.ceil(tensors.length / MOST_POINTS);
  const weight = ({ name, pass, measure }: Placed) => {
    const error = measure?.relativeRmsError ?? 0;
    const isFirst = name === first?.name && pass === first.pass;
    return isFirst || Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  };
  return Array.from({ length: Math.ceil(tensors.length / size) }, (_, i) =>
    tensors.slice(i * size, (i + 1) * size).reduce((a, b) => (weight(b) > weight(a) ? b : a)),
  );
}

function pointOf(comparison: Comparison, tensor: Placed, most: number): Point {
  const { relativeRmsError: error = 0, cosine = 1 } = tensor.measure ?? {};
  const { tolerance, statistics } = tensor;
  return {
    ...{ order: tensor.order, name: tensorLabel(comparison, tensor), op: tensor.op },
    standing: STANDINGS[standingOf(tensor)],
    error: errorText(error),
    drawn: Number.isFinite(error) ? rounded(Math.max(LEAST_ERROR, error)) : rounded(most),
    allowed: tolerance ? errorText(tolerance.limit) : 'no rule',
    limit: tolerance ? Math.max(LEAST_ERROR, tolerance.limit) : null,
    turned: Number.isNaN(cosine) ? 2 : rounded(Math.max(LEAST_TURN, 1 - cosine)),
    ...{ rmsOurs: rounded(statistics.ours.rms), rmsReference: rounded(statistics.reference.rms) },
  };
}

/** What the log scale and the number of points leave out, for a subtitle. */
export function pointsSaid({ tensors }: Comparison, points: readonly Point[]): string[] {
  const compared = tensors.filter(({ measure }) => measure !== null);
  const broken = compared.filter(({ measure }) => measure && !Number.isFinite(measure.relativeRmsError)).length;
  const bare = tensors.length - compared.length;
  return [
    ...(points.some(({ drawn }) => drawn === LEAST_ERROR)
      ? [`An error below ${LEAST_ERROR} is drawn at ${LEAST_ERROR}`]
      : []),
    ...(broken > 0 ? [`${broken} without a finite error, from NaN or Inf, are drawn at the top`] : []),
    ...(bare > 0 ? [`${bare} of which a side has statistics only are not drawn`] : []),
    ...(points.length < compared.length
      ? [`Of every ${Math.ceil(compared.length / MOST_POINTS)} neighbours the one with the largest error`]
      : []),
  ];
}

/** The point of the first divergence; undefined where there is none, or it has no values. */
export function firstPoint(comparison: Comparison, points: readonly Point[]): Point | undefined {
  const { firstDivergence: first } = comparison;
  return first ? points.find(({ name }) => name === tensorLabel(comparison, first)) : undefined;
}

/** Ticks where a layer begins, or, where there are several passes, a pass. */
export function orderAxis({ tensors }: Comparison, title = true) {
  const hasPasses = tensors.some(({ pass }) => pass > 0);
  // Mutable, as Vega-Lite's types have it.
  const domain: number[] = [-0.5, tensors.length - 0.5];
  const ticks = new Map<number, string>();
  const seen = new Set<number>();
  for (const [order, { layer, pass }] of tensors.entries()) {
    const part = hasPasses ? pass : layer;
    if (part === null || seen.has(part)) continue;
    seen.add(part);
    ticks.set(order, `${part}`);
  }
  return {
    field: 'order',
    type: 'quantitative',
    title: title ? `tensors in order of execution (ticks: ${hasPasses ? 'passes' : 'layers'})` : null,
    scale: { domain, nice: false },
    axis: {
      values: [...ticks.keys()] as number[],
      labelExpr: `${JSON.stringify(Object.fromEntries(ticks))}[datum.value]`,
      labels: title,
      labelOverlap: 'greedy',
      gridColor: '#e4e4e4',
    },
  } as const;
}

/** The powers of ten that a log axis over these numbers has room to name. */
export function decades(numbers: readonly number[]): number[] {
  const logs = numbers.filter((each) => each > 0 && Number.isFinite(each)).map(Math.log10);
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const stride = Math.max(1, Math.ceil((high - low) / MOST_DECADES));
  return Array.from({ length: Math.floor((high - low) / stride) + 1 }, (_, i) => 10 ** (low + i * stride));
}

/** Colours alone are not for everyone: each standing has a shape of its own. */
const LOOKS: Readonly<Record<Standing, { readonly colour: string; readonly shape: string }>> = {
  equal: { colour: CATEGORIES[5], shape: 'circle' },
  within: { colour: CATEGORIES[0], shape: 'circle' },
  inherited: { colour: CATEGORIES[4], shape: 'triangle-up' },
  beyond: { colour: CATEGORIES[6], shape: 'square' },
  precision: { colour: CATEGORIES[3], shape: 'diamond' },
  noise: { colour: CATEGORIES[3], shape: 'triangle-left' },
  'other layout': { colour: CATEGORIES[2], shape: 'triangle-right' },
  made: { colour: CATEGORIES[1], shape: 'cross' },
  'no rule': { colour: CATEGORIES[6], shape: 'triangle-down' },
};

/** Colour and shape of the standings that occur. */
export function standingLooks(points: readonly Point[]) {
  const present = (Object.keys(STANDINGS) as Standing[]).filter((each) =>
    points.some(({ standing }) => standing === STANDINGS[each]),
  );
  const domain = present.map((each) => STANDINGS[each]);
  const looks = (what: 'colour' | 'shape') => present.map((each) => LOOKS[each][what]);
  const field = { field: 'standing', type: 'nominal', title: 'how a tensor stands' } as const;
  const legend = { orient: 'bottom', columns: 4 } as const;
  return {
    color: { ...field, scale: { domain, range: looks('colour') }, legend },
    shape: { ...field, scale: { domain, range: looks('shape') }, legend },
  };
}

/** Without aria each of a thousand points would be read out; the description says what they show. */
export const POINT = { type: 'point', filled: true, opacity: 1, aria: false } as const;

export const pointTooltip = [
  { field: 'name', type: 'nominal', title: 'tensor' },
  { field: 'op', type: 'nominal', title: 'op' },
  { field: 'standing', type: 'nominal', title: 'how it stands' },
  { field: 'error', type: 'nominal', title: 'relative RMS error' },
  { field: 'allowed', type: 'nominal', title: 'allowed' },
] as const;

/** Whom a chart is about: `ours: a.gguf on webgpu; reference: llama.cpp`. */
export function sidesSaid({ ours, reference }: Comparison): string {
  return `ours: ${ours.label}; reference: ${reference.label}`;
}
