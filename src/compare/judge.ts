/**
 * Is a pair within its tolerance, and which element is worst? A tolerance is a relative RMS error, a statement about a whole
 * tensor; noise of that size puts single rows and single elements further out. So each is given the room that such noise
 * needs, and no more:
 *
 *   the tensor     ‖error‖ ≤ tol · ‖reference‖
 *   a token, head  ‖error‖ ≤ tol · ‖its reference‖ · UNEVENNESS · gaussianMargin(its elements, tokens or heads in all)
 *   an element     |error| ≤ tol · (|reference| + RMS of its row) · ELEMENT_MARGIN       a row: a line along the last axis
 *
 * A row of attention scores with few keys has no size of its own: one score near 0 is as far off as any. There the RMS is that
 * of its head, if that is larger.
 *
 * A value that was read from a log may be off by half a printed digit, `resolution`, beside that: it widens each bound, a
 * norm over n elements by resolution · √n (triangle inequality).
 */
import type { TensorComparison, Tolerance, Worst } from './comparison.ts';
import { areSame, axisOf, bitsOf, eachRow, type Measured, offsetOf, type Pair, type Part, placeAt } from './measure.ts';

/**
 * Of N elements with Gaussian noise of σ = tol · RMS the largest is expected at √(2 ln 2N) σ (Cramér 1946, "Mathematical
 * Methods of Statistics", §28.6): 4.3 of 5,000 elements, 6.2 of 1e8, where the reference is near 0 and the bound smallest.
 * Ten is what that needs for noise with heavier tails, or for rows 1.6 times as noisy as the whole; and it is the most that
 * still finds every element beyond ten times its bound.
 */
export const ELEMENT_MARGIN = 10;

/**
 * How much further off than the tolerance one token or head may be, for rounding is not spread evenly: in f32 runs of the
 * shipped model over 2 to 12 tokens, held against f64, the worst token is 3 to 5 times as far off as the whole tensor. The
 * default tolerances were set by what tokens, heads and elements need with this factor; see tolerances.ts.
 */
export const UNEVENNESS = 3;

/**
 * Scores of a row that are too few to tell its size: of one Gaussian the RMS is below a tenth of σ in 8 % of all cases, of
 * eight in 1e-7 (the chi-squared distribution).
 */
const FEW_KEYS = 8;

/** How seldom Gaussian noise of the allowed size may put any token, or any head, of one tensor beyond its bound. */
const CHANCE = 1e-6;

/**
 * By which factor the norm of Gaussian noise over n elements exceeds its expected size in at most one of 1e6 tensors, where
 * each of `parts` such norms is looked at: with x = ln(parts / 1e-6), √(1 + 2 √(x / n) + 2 x / n) (Laurent and Massart
 * 2000, "Adaptive estimation of a quadratic functional by model selection", lemma 1, and the union bound).
 */
export function gaussianMargin(n: number, parts: number): number {
  const x = Math.log(parts / CHANCE);
  return Math.sqrt(1 + 2 * Math.sqrt(x / n) + (2 * x) / n);
}

export interface JudgeOptions {
  /** Half a unit of the last digit that the values were printed with; 0 where they are exact. */
  readonly resolution?: number;
  /** `exact`: any differing bit is beyond, masked cells' too. Default `tolerance`. */
  readonly mode?: 'tolerance' | 'exact';
}

export interface Judgement {
  readonly status: TensorComparison['status'];
  /**
   * The element furthest beyond its bound, or nearest to it. Where only a token, a head or the whole is beyond, it is that
   * part's, and its own `excess` is below 1. In exact mode the first whose bits differ. Null where all are equal, and
   * where there is no tolerance to hold them against.
   */
  readonly worst: Worst | null;
}

/** `measured` is `measure(pair)`; a tolerance of null is never within. */
export function judge(
  pair: Pair,
  measured: Measured,
  tolerance: Tolerance | null,
  { resolution = 0, mode = 'tolerance' }: JudgeOptions = {},
): Judgement {
  if (mode === 'exact') {
    const worst = firstDifference(pair);
    return { status: worst ? 'beyond' : 'equal', worst };
  }
  if (measured.measure.bitsDiffer === 0) return { status: 'equal', worst: null };
  if (!tolerance) return { status: 'no rule', worst: null };
  const bounds = { tol: tolerance.limit, resolution, heads: measured.parts.heads };
  const worst = worstElement(pair, bounds);
  if (worst && worst.excess > 1) return { status: 'beyond', worst };
  const part = worstPart(pair, measured, bounds);
  if (part) return { status: 'beyond', worst: worstElement(pair, bounds, part) };
  const { whole } = measured.parts;
  const isBeyond = whole.error > normBound(whole, 1, bounds);
  return { status: isBeyond ? 'beyond' : 'within', worst };
}

interface Bounds {
  readonly tol: number;
  readonly resolution: number;
  /** Of the whole pair, where it has heads. */
  readonly heads: readonly Part[] | null;
}

function normBound({ n, reference }: Part, margin: number, { tol, resolution }: Bounds): number {
  return tol * reference * margin + resolution * Math.sqrt(n);
}

/** One index along an axis. */
interface PartAt {
  readonly axis: 'token' | 'head';
  readonly index: number;
}

/** The token that is furthest beyond its bound; if none is, the head; null where no head is either. */
function worstPart({ dims }: Pair, { parts }: Measured, bounds: Bounds): PartAt | null {
  const { whole } = parts;
  // Of attention scores a token may have too few to tell their size.
  const isFew = ({ n }: Part) => dims.at(-1) === 'key' && n < FEW_KEYS;
  const sized = (part: Part): Part =>
    isFew(part)
      ? { ...part, reference: Math.max(part.reference, whole.reference * Math.sqrt(part.n / whole.n)) }
      : part;
  for (const axis of ['token', 'head'] as const) {
    const along = ((axis === 'token' ? parts.tokens : parts.heads) ?? []).map(sized);
    const excesses = along.map((part) =>
      excessOf(part.error, normBound(part, UNEVENNESS * gaussianMargin(part.n, along.length), bounds)),
    );
    const most = excesses.reduce((max, excess) => Math.max(max, excess), 0);
    if (most > 1) return { axis, index: excesses.indexOf(most) };
  }
  return null;
}

function excessOf(error: number, bound: number): number {
  return error === 0 ? 0 : error / bound;
}

/** The element of the pair, or of a part of it, with the largest excess; null where none differs. */
function worstElement(pair: Pair, { tol, resolution, heads }: Bounds, part?: PartAt): Worst | null {
  const { ours, reference } = pair;
  const indexOf = part ? axisOf(pair, part.axis) : null;
  let [worst, most] = [-1, 0];
  const headRms = scoresRms(pair, heads);
  eachRow(pair, (from, to) => {
    const rms = Math.max(finiteRms(reference, from, to), to - from < FEW_KEYS ? headRms(from) : 0);
    for (let i = from; i < to; i++) {
      const x = ours[i] as number;
      const y = reference[i] as number;
      const error = Math.abs(x - y);
      let excess: number;
      // Only a NaN or an infinity makes this so.
      if (error - error !== 0) excess = areSame(x, y) ? 0 : Number.POSITIVE_INFINITY;
      else excess = excessOf(error, ELEMENT_MARGIN * tol * (Math.abs(y) + rms) + resolution);
      if (excess > most && (!part || indexOf?.(offsetOf(pair, i)) === part.index)) {
        most = excess;
        worst = i;
      }
    }
  });
  return worst < 0 ? null : { ...valuesAt(pair, worst), excess: most };
}

/** Of attention scores, the RMS of the head that an element is of; 0 for other tensors, whose rows are whole. */
function scoresRms(pair: Pair, heads: readonly Part[] | null): (i: number) => number {
  const headOf = pair.dims.at(-1) === 'key' ? axisOf(pair, 'head') : null;
  if (!headOf || !heads) return () => 0;
  return (i) => {
    const { n, reference } = heads[headOf(offsetOf(pair, i))] as Part;
    return n === 0 ? 0 : reference / Math.sqrt(n);
  };
}

function finiteRms(values: Float32Array, from: number, to: number): number {
  let squared = 0;
  let n = 0;
  for (let i = from; i < to; i++) {
    const x = values[i] as number;
    if (x - x !== 0) continue;
    squared += x * x;
    n++;
  }
  return n === 0 ? 0 : Math.sqrt(squared / n);
}

/** In row-major order, masked cells included. */
function firstDifference(pair: Pair): Worst | null {
  const [a, b] = [bitsOf(pair.ours), bitsOf(pair.reference)];
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return { ...valuesAt(pair, i), excess: Number.POSITIVE_INFINITY };
  }
  return null;
}

function valuesAt(pair: Pair, i: number): Omit<Worst, 'excess'> {
  const [ours, reference] = [pair.ours[i] as number, pair.reference[i] as number];
  return { ...placeAt(pair, offsetOf(pair, i)), ours, reference };
}
