/** Pairs of tensors as the rows of a table, and which rows of a long comparison matter. */
import { short } from '../../trace/plain_text.ts';
import { tokenLabel } from '../../trace/token_label.ts';
import type { Comparison, Place, TensorComparison } from '../comparison.ts';
import { STANDINGS, standingOf } from './standing.ts';

/** A table of text; numbers end at the column's edge. */
export interface Table {
  readonly head: readonly string[];
  readonly align: readonly ('left' | 'right')[];
  readonly rows: readonly (readonly string[])[];
  /** Columns, from the left, without which a row says nothing; where there is no room the others go. */
  readonly essential: number;
}

/** One row per pair. Where of all of them only statistics are known, those are the columns. */
export function tensorTable(comparison: Comparison, tensors: readonly TensorComparison[]): Table {
  const hasValues = tensors.some(({ measure }) => measure !== null);
  return {
    ...(hasValues ? VALUES : STATISTICS),
    rows: tensors.map((tensor) => [
      tensorLabel(comparison, tensor),
      STANDINGS[standingOf(tensor)],
      ...(hasValues ? valueCells(comparison, tensor) : statisticCells(tensor)),
    ]),
  };
}

type Columns = Omit<Table, 'rows'>;

const VALUES: Columns = {
  head: ['tensor', 'how it stands', 'relative RMS error', 'allowed', 'cosine', 'worst at', 'ours', 'reference'],
  align: ['left', 'left', 'right', 'right', 'right', 'left', 'right', 'right'],
  essential: 5,
};

const STATISTICS: Columns = {
  head: ['tensor', 'how it stands', 'sum, ours', 'reference', 'RMS, ours', 'reference'],
  align: ['left', 'left', 'right', 'right', 'right', 'right'],
  essential: 4,
};

/** Of a pair without values the sums stand in place of an element. */
function valueCells(comparison: Comparison, { measure, tolerance, statistics, worst }: TensorComparison): string[] {
  const allowed = tolerance ? errorText(tolerance.limit) : '–';
  const { ours, reference } = statistics;
  if (!measure) return ['–', allowed, '–', 'the sum', short(ours.sum), short(reference.sum)];
  return [
    ...[errorText(measure.relativeRmsError), allowed, cosineText(measure.cosine)],
    ...(worst ? [placeText(comparison, worst), f32Text(worst.ours), f32Text(worst.reference)] : ['', '', '']),
  ];
}

function statisticCells({ statistics: { ours, reference } }: TensorComparison): string[] {
  return [ours.sum, reference.sum, ours.rms, reference.rms].map(short);
}

/** `kq-3`, with its pass where there are several. */
export function tensorLabel({ tensors }: Comparison, { name, pass }: Pick<TensorComparison, 'name' | 'pass'>): string {
  return tensors.some((each) => each.pass > 0) ? `${name} (pass ${pass})` : name;
}

/**
 * At most `most` tensors, in the order of execution. Around the first divergence, or the first tensor that is not simply
 * within its tolerance: some before it, itself, what follows and the last of all. Where all are: the residual stream on its way from the embedding to the logits; of a trace without it, those nearest
 * to their tolerances.
 */
export function tensorsThatMatter({ tensors, firstDivergence }: Comparison, most: number): TensorComparison[] {
  if (tensors.length <= most) return [...tensors];
  const isDivergence = ({ name, pass }: TensorComparison) =>
    firstDivergence ? name === firstDivergence.name && pass === firstDivergence.pass : false;
  const found = tensors.findIndex(isDivergence);
  const first = found < 0 ? tensors.findIndex((tensor) => !isWithin(tensor)) : found;
  if (first < 0) {
    const stream = tensors.filter(({ name }) => /^(embd|l_out-\d+|result_norm|result_output)$/.test(name));
    if (stream.length > 2) return spread(stream, most);
    const nearest = [...tensors].sort((a, b) => nearness(b) - nearness(a)).slice(0, most);
    return tensors.filter((tensor) => nearest.includes(tensor));
  }
  const start = Math.min(Math.max(0, first - Math.floor(most / 3)), tensors.length - most);
  const near = tensors.slice(start, start + most);
  if (most === 1 || near.includes(tensors.at(-1) as TensorComparison)) return near;
  return [...near.slice(0, -1), ...tensors.slice(-1)];
}

/** Whether nothing is to be said of it: equal or within its tolerance, and its op gives what was recorded. */
export function isWithin(tensor: TensorComparison): boolean {
  return /^(equal|within)$/.test(standingOf(tensor));
}

/** At most `most` of a list, evenly, with the first and the last; one is the last. */
function spread<T>(list: readonly T[], most: number): T[] {
  if (list.length <= most) return [...list];
  if (most === 1) return list.slice(-1);
  return Array.from({ length: most }, (_, i) => list[Math.round((i * (list.length - 1)) / (most - 1))] as T);
}

/** The tensor that is nearest to its limit, or furthest beyond; undefined where none has both an error and a limit. */
export function nearestToLimit(tensors: readonly TensorComparison[]): TensorComparison | undefined {
  const judged = tensors.filter(({ measure, tolerance }) => measure && tolerance);
  return judged.reduce<TensorComparison | undefined>((a, b) => (a && nearness(a) >= nearness(b) ? a : b), undefined);
}

/** How far up to its limit, or beyond it, a tensor is; one without numbers or a rule is past all others. */
function nearness({ measure, tolerance, status }: TensorComparison): number {
  if (status === 'equal') return 0;
  if (!tolerance || (measure && Number.isNaN(measure.relativeRmsError))) return Number.POSITIVE_INFINITY;
  if (!measure) return status === 'within' ? 0 : Number.POSITIVE_INFINITY;
  return measure.relativeRmsError / tolerance.limit;
}

/** `token 5 ␣to, head 2, [2, 5, 3]`; what the tensor has no axis for is left out. */
export function placeText(
  { ours, reference }: Pick<Comparison, 'ours' | 'reference'>,
  { token, head, index }: Place,
): string {
  const side = ours.manifest.pieces ? ours : reference;
  return [
    ...(token === null ? [] : [`token ${tokenLabel(side, token)}`]),
    ...(head === null ? [] : [`head ${head}`]),
    ...(index.length > 0 ? [`[${index.join(', ')}]`] : []),
  ].join(', ');
}

/** The fewest digits, but at least four, that give the same f32 back: two that differ in one bit read differently. */
export function f32Text(value: number): string {
  if (!Number.isFinite(value)) return `${value}`;
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const digits = [4, 5, 6, 7, 8, 9].find((each) => Math.fround(Number(value.toPrecision(each))) === Math.fround(value));
  return `${Number(value.toPrecision(digits ?? 9))}`;
}

/** Two digits, as much as an error is worth. */
export function errorText(error: number): string {
  return Number.isFinite(error) && error !== 0 ? error.toExponential(1) : `${error}`;
}

/** Near 1 it is the distance from 1 that says something. */
function cosineText(cosine: number): string {
  if (Number.isNaN(cosine)) return 'NaN';
  const distance = 1 - cosine;
  return distance > 0 && distance < 1e-4 ? `1 - ${distance.toExponential(0)}` : short(cosine);
}
