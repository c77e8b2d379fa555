/**
 * How far two arrays of numbers are apart, in one pass over them. Sums are in f64 and row by row, so that 1e8 elements cost
 * no digit that a comparison of f32 numbers could miss.
 *
 *   relativeRmsError  ‖x − y‖ / ‖y‖      x ours, y the reference; ‖·‖ the L2 norm
 *   nmse              ‖x − y‖² / ‖y‖²    as ggml's tests/test-backend-ops.cpp has it
 *   cosine            x · y / (‖x‖ ‖y‖)
 *   maxUlps           how many f32 numbers further on y lies from x; -0 and 0 are one
 *   rmsRatio          ‖x‖ / ‖y‖          1 where both are zero
 *   sum.noise         1e-6 · Σ|y|, and more where a side holds 16 bits; see `sumNoise`
 *
 * Masked cells are left out: of dims [head, token, key] a token sees the keys up to its own position. So are elements that
 * are NaN or infinite on either side; those that are not the same on both are counted in `nonFinite`.
 */
import { TraceError } from '../errors.ts';
import { columnsOf, sizeOf } from '../ops/shape.ts';
import type { Measure, Place } from './comparison.ts';

/** One tensor from both sides, row-major. */
export interface Pair {
  readonly ours: Float32Array;
  readonly reference: Float32Array;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  /** Position in the text of the tensor's first token. */
  readonly pos0: number;
  /** Where given, both arrays hold only the elements at these row-major offsets, ascending: what a log printed. */
  readonly offsets: Uint32Array | null;
  /** The type in which each side held its numbers, as a row's `srcDtype`; f32 unless told. */
  readonly storage?: { readonly ours: string; readonly reference: string };
}

/** What is known of a part of a pair: its finite elements, masked cells left out. */
export interface Part {
  readonly n: number;
  /** ‖ours − reference‖ */
  readonly error: number;
  /** ‖reference‖ */
  readonly reference: number;
}

/** A measure, and what the same pass over the numbers gives by token and by head. */
export interface Measured {
  readonly measure: Measure;
  /** Relative RMS error of each token and of each head, by its index in the tensor; null where it has no such axis. */
  readonly byToken: readonly number[] | null;
  readonly byHead: readonly number[] | null;
  /** What these are quotients of. */
  readonly parts: {
    readonly whole: Part;
    readonly tokens: readonly Part[] | null;
    readonly heads: readonly Part[] | null;
  };
}

/** Throws TraceError where the arrays do not hold as many numbers as the shape has elements, or as there are offsets. */
export function measure(pair: Pair): Measured {
  mustFit(pair);
  const sides = { ...pair, ourBits: bitsOf(pair.ours), referenceBits: bitsOf(pair.reference) };
  const whole = new Tally();
  const [tokens, heads] = [talliesAlong(pair, 'token'), talliesAlong(pair, 'head')];
  eachSpan(pair, (from, to) => {
    const span = tallyOf(sides, from, to);
    whole.add(span);
    tokens?.at(offsetOf(pair, from)).add(span);
    heads?.at(offsetOf(pair, from)).add(span);
  });
  const parts = { whole: partOf(whole), tokens: tokens?.parts() ?? null, heads: heads?.parts() ?? null };
  const { oursSquared, referenceSquared } = whole;
  return {
    measure: {
      n: whole.n,
      relativeRmsError: relativeRmsError(parts.whole),
      nmse: relativeRmsError(parts.whole) ** 2,
      cosine: Math.max(-1, Math.min(1, whole.product / Math.sqrt(oursSquared * referenceSquared))),
      maxAbsError: whole.maxAbsError,
      maxAt: whole.maxIndex < 0 ? null : placeAt(pair, offsetOf(pair, whole.maxIndex)),
      maxUlps: whole.maxUlps,
      rmsRatio: oursSquared === referenceSquared ? 1 : Math.sqrt(oursSquared / referenceSquared),
      sum: { ours: whole.oursSum, reference: whole.referenceSum, noise: sumNoise(whole, pair.storage) },
      nonFinite: whole.nonFinite,
      bitsDiffer: whole.bitsDiffer,
    },
    byToken: parts.tokens?.map(relativeRmsError) ?? null,
    byHead: parts.heads?.map(relativeRmsError) ?? null,
    parts,
  };
}

/** ‖error‖ / ‖reference‖; 0 where there is no error, Infinity where only the reference is zero. */
export function relativeRmsError({ error, reference }: Part): number {
  return error === 0 ? 0 : error / reference;
}

/** The coordinates of the element at a row-major offset, and the token and head that it belongs to. */
export function placeAt({ shape, dims, pos0 }: Pick<Pair, 'shape' | 'dims' | 'pos0'>, offset: number): Place {
  const index = shape.map((size, axis) => Math.floor(offset / sizeOf(shape.slice(axis + 1))) % size);
  const along = (name: string) => index[dims.indexOf(name)] ?? null;
  const token = along('token');
  return { index, token: token === null ? null : pos0 + token, head: along('head') };
}

/** The row-major offset of element i of a pair's arrays. */
export function offsetOf({ offsets }: Pair, i: number): number {
  return offsets ? (offsets[i] as number) : i;
}

/**
 * Calls `visit` with each row, a line along the last axis, in order: elements `from` … `to`-1 of the arrays are what is
 * there of it and not masked. Rows of which there is nothing are left out.
 */
export function eachRow(pair: Pair, visit: (from: number, to: number) => void): void {
  const { offsets, shape, dims, pos0 } = pair;
  const columns = columnsOf(shape);
  const token = dims.at(-1) === 'key' ? axisOf(pair, 'token') : null;
  const count = offsets?.length ?? sizeOf(shape);
  for (let from = 0; from < count; ) {
    const row = Math.floor(offsetOf(pair, from) / columns);
    const seen = token ? pos0 + token(row * columns) + 1 : columns;
    const isWithin = (i: number, column: number) => i < count && offsetOf(pair, i) < row * columns + column;
    let to = offsets ? from : from + Math.min(seen, columns);
    let next = offsets ? from : from + columns;
    if (offsets) {
      while (isWithin(to, Math.min(seen, columns))) to++;
      for (next = to; isWithin(next, columns); ) next++;
    }
    if (to > from) visit(from, to);
    from = next;
  }
}

/** For an axis, the function that gives the index along it of the element at an offset; null where there is no such axis. */
export function axisOf(
  { shape, dims }: Pick<Pair, 'shape' | 'dims'>,
  name: 'token' | 'head',
): ((offset: number) => number) | null {
  const axis = dims.indexOf(name);
  const size = shape[axis];
  if (size === undefined) return null;
  const stride = sizeOf(shape.slice(axis + 1));
  return (offset) => Math.floor(offset / stride) % size;
}

/** Rows, cut where need be so that each is of one token and one head: `[token, head]` has a head in every column. */
function eachSpan(pair: Pair, visit: (from: number, to: number) => void): void {
  const last = pair.dims.at(-1);
  const each = (from: number, to: number) => {
    for (let i = from; i < to; i++) visit(i, i + 1);
  };
  eachRow(pair, last === 'token' || last === 'head' ? each : visit);
}

/** Sums over some elements. */
class Tally {
  /** All, finite or not. */
  n = 0;
  finite = 0;
  errorSquared = 0;
  oursSquared = 0;
  referenceSquared = 0;
  product = 0;
  oursSum = 0;
  referenceSum = 0;
  /** Σ|reference| */
  magnitudes = 0;
  maxAbsError = 0;
  /** Index in the arrays of the first element that is so far off; -1 where there is none. */
  maxIndex = -1;
  maxUlps = 0;
  nonFinite = 0;
  bitsDiffer = 0;

  add(other: Tally): void {
    this.n += other.n;
    this.finite += other.finite;
    this.errorSquared += other.errorSquared;
    this.oursSquared += other.oursSquared;
    this.referenceSquared += other.referenceSquared;
    this.product += other.product;
    this.oursSum += other.oursSum;
    this.referenceSum += other.referenceSum;
    this.magnitudes += other.magnitudes;
    if (other.maxIndex >= 0 && (this.maxIndex < 0 || other.maxAbsError > this.maxAbsError)) {
      this.maxAbsError = other.maxAbsError;
      this.maxIndex = other.maxIndex;
    }
    this.maxUlps = Math.max(this.maxUlps, other.maxUlps);
    this.nonFinite += other.nonFinite;
    this.bitsDiffer += other.bitsDiffer;
  }
}

interface Sides extends Pair {
  readonly ourBits: Int32Array;
  readonly referenceBits: Int32Array;
}

/** Elements from … to-1. A comparison of large tensors costs what this loop does, so it makes no object and no call. */
function tallyOf({ ours, reference, ourBits, referenceBits }: Sides, from: number, to: number): Tally {
  const tally = new Tally();
  let finite = 0;
  let errorSquared = 0;
  let oursSquared = 0;
  let referenceSquared = 0;
  let product = 0;
  let oursSum = 0;
  let referenceSum = 0;
  let magnitudes = 0;
  let maxAbsError = -1;
  let maxUlps = 0;
  let bitsDiffer = 0;
  for (let i = from; i < to; i++) {
    const x = ours[i] as number;
    const y = reference[i] as number;
    const a = ourBits[i] as number;
    const b = referenceBits[i] as number;
    const difference = x - y;
    if (a !== b) bitsDiffer++;
    // Of finite f32 numbers the difference is finite in f64.
    if (difference - difference !== 0) {
      if (!areSame(x, y)) tally.nonFinite++;
      continue;
    }
    finite++;
    errorSquared += difference * difference;
    oursSquared += x * x;
    referenceSquared += y * y;
    product += x * y;
    oursSum += x;
    referenceSum += y;
    magnitudes += Math.abs(y);
    const distance = Math.abs(difference);
    if (distance > maxAbsError) {
      maxAbsError = distance;
      tally.maxIndex = i;
    }
    // Bits in order of size, 0 for both zeros.
    const ulps = Math.abs((a >= 0 ? a : -(a & 0x7fffffff)) - (b >= 0 ? b : -(b & 0x7fffffff)));
    if (ulps > maxUlps) maxUlps = ulps;
  }
  tally.n = to - from;
  tally.finite = finite;
  tally.errorSquared = errorSquared;
  tally.oursSquared = oursSquared;
  tally.referenceSquared = referenceSquared;
  tally.product = product;
  tally.oursSum = oursSum;
  tally.referenceSum = referenceSum;
  tally.magnitudes = magnitudes;
  tally.maxAbsError = Math.max(0, maxAbsError);
  tally.maxUlps = maxUlps;
  tally.bitsDiffer = bitsDiffer;
  return tally;
}

/** NaN with NaN, whatever its bits, and infinities of one sign; finite numbers where they are equal. */
export function areSame(x: number, y: number): boolean {
  return x === y || (Number.isNaN(x) && Number.isNaN(y));
}

export function bitsOf(data: Float32Array): Int32Array {
  return new Int32Array(data.buffer, data.byteOffset, data.length);
}

/** One tally for each index along an axis. */
function talliesAlong(pair: Pair, name: 'token' | 'head') {
  const indexOf = axisOf(pair, name);
  if (!indexOf) return null;
  const tallies = Array.from({ length: pair.shape[pair.dims.indexOf(name)] as number }, () => new Tally());
  return {
    at: (offset: number) => tallies[indexOf(offset)] as Tally,
    parts: () => tallies.map(partOf),
  };
}

function partOf({ finite, errorSquared, referenceSquared }: Tally): Part {
  return { n: finite, error: Math.sqrt(errorSquared), reference: Math.sqrt(referenceSquared) };
}

/** Unit roundoff of what a side may be stored in. f32's is within the 1e-6 that every sum is allowed. */
const UNIT_ROUNDOFF: Readonly<Record<string, number>> = { f16: 2 ** -11, bf16: 2 ** -8 };

/** Half the distance between f16's smallest numbers. */
const HALF_SUBNORMAL = 2 ** -25;

/**
 * What rounding alone can move a sum by. 1e-6 · Σ|y| is DESIGN's bound for a sum of f32 numbers. Rounding to 16 bits moves
 * each number by at most b = max(u · |y|, 2⁻²⁵), up or down; then the sum moves by more than 6 √Σb² once in 3e7
 * (Hoeffding 1963, "Probability inequalities for sums of bounded random variables", theorem 2: 2 exp(-6² / 2)), and never
 * by more than Σb. It adds for each side that is stored so.
 */
export function sumNoise(
  sums: { readonly finite: number; readonly magnitudes: number; readonly referenceSquared: number },
  storage: Pair['storage'] = { ours: 'f32', reference: 'f32' },
): number {
  const ofSide = (type: string): number => {
    const u = UNIT_ROUNDOFF[type];
    if (u === undefined) return 0;
    const likely = 6 * Math.sqrt(u ** 2 * sums.referenceSquared + HALF_SUBNORMAL ** 2 * sums.finite);
    return Math.min(likely, u * sums.magnitudes + HALF_SUBNORMAL * sums.finite);
  };
  return 1e-6 * sums.magnitudes + ofSide(storage.ours) + ofSide(storage.reference);
}

function mustFit({ ours, reference, shape, dims, offsets }: Pair): void {
  const wanted = offsets?.length ?? sizeOf(shape);
  if (ours.length === wanted && reference.length === wanted && dims.length === shape.length) return;
  throw new TraceError(
    `Cannot measure a pair of shape [${shape.join(', ')}], dims [${dims.join(', ')}]: ours holds ${ours.length} numbers, ` +
      `the reference ${reference.length}; wanted ${wanted} of each and a name for each axis`,
  );
}
