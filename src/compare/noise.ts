/**
 * The noise of a record: what sets all its ops apart from ours alike, such as the rounding of an engine that nobody told us of. An
 * op that is off by no more than that is no bug; one that stands out, in all of the tensor, in a token, a head or an element, is.
 *
 * It is called noise only where it is even and without a shape: nearly every op is off, or every product where an engine rounds
 * their factors alone; all by one size; and what is left is no multiple of the output and no constant, as a wrong scale would
 * leave. A fault is in a few ops of a layer and leaves the others as exact as they were. What an op makes of the noise of its
 * inputs is measured, by a second run on inputs that are moved by it (evidence.ts).
 */
import type { Model } from '../engine/model.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Measure, Tolerance } from './comparison.ts';
import { type Evidence, MOST_NOISE } from './evidence.ts';
import { gaussianMargin } from './judge.ts';
import { eachRow, measure, type Pair, type Part } from './measure.ts';

/** What f32 leaves, end to end: below it there is no noise to speak of (DESIGN). */
const LEAST = 1e-5;

/**
 * Of the expected noise a whole tensor is off by 0.4 to 0.8, and by 1.4 where one sharp row of softmax carries it: measured
 * with seeded noise of 1e-4 to 1e-3 and with f16 storage, on random models and on fixtures/lily-4m-f16.gguf.
 */
const MARGIN = 2;

/** The same of a single element; of 1e8 with Gaussian noise the largest is at 6.2 σ (judge.ts). */
const ELEMENT_MARGIN = 6;

/** How often the noise of the inputs is drawn, at most. */
const DRAWS = 8;

/** Less than this share of the noise is none: the op is as exact as ours. */
const EXACT = 0.1;

/** Share of the ops that must be off by the noise and no more to call it even: swapped nibbles spoil 7 of a layer's 18. */
const MOSTLY = 0.5;

/** Share of the ops that may be exact: softmax over one key, what is made of zeros. */
const FEW = 0.25;

/** Share of an error that may lie along the output, or be one constant: noise over 16 numbers has a quarter there. */
const SHAPED = 0.5;

export class RecordNoise {
  /** Relative RMS error by which the middle op is off, on its own inputs. */
  readonly size: number;
  /** `op`, or `product of matrices` where the other ops are exact. */
  readonly of: string;
  readonly label: string;
  readonly #evidence: Evidence;
  readonly #model: Model;

  private constructor(evidence: Evidence, model: Model, of: string) {
    this.size = evidence.noise.products;
    this.of = of;
    this.label = evidence.label;
    this.#evidence = evidence;
    this.#model = model;
  }

  /** Null where the record is as exact as f32 is, and where what sets it apart is not even. `model` has no faults. */
  static async of(evidence: Evidence, model: Model): Promise<RecordNoise | null> {
    const { products, others } = evidence.noise;
    if (!(products > LEAST && products <= MOST_NOISE && others <= MOST_NOISE)) return null;
    const isEverywhere = others > LEAST;
    const noise = new RecordNoise(evidence, model, isEverywhere ? 'op' : 'product of matrices');
    const looked = isEverywhere ? evidence.samples : evidence.samples.filter((row) => evidence.isProduct(row));
    let [even, exact, all] = [0, 0, 0];
    for (const row of looked) {
      const pair = await evidence.recordedPair(model, row);
      if (!pair) continue;
      all++;
      const { measure: found, parts } = measure(pair);
      if (found.relativeRmsError < EXACT * evidence.sizeAt(row)) exact++;
      else if (!isShaped(found, rmsOf(parts.whole)) && (await noise.#expectedAt(row, pair))) even++;
    }
    return even >= MOSTLY * all && exact <= FEW * all ? noise : null;
  }

  /** What an op may be off by, where it is off by no more than the noise; null where it stands out. */
  async toleranceAt(row: TraceRow): Promise<Tolerance | null> {
    const pair = await this.#evidence.recordedPair(this.#model, row);
    const expected = pair && (await this.#expectedAt(row, pair));
    if (!expected) return null;
    const { whole } = expected;
    return {
      limit: (MARGIN * expectedOf(whole, expected)) / whole.reference,
      source: `${MARGIN} times what the noise of ${this.label} makes of it`,
    };
  }

  /** What noise is seen to make of the op, where that explains the record. One draw tells little of a softmax over few keys. */
  async #expectedAt(row: TraceRow, pair: Pair): Promise<Expected | null> {
    let expected: Expected | null = null;
    for (let draw = 0; draw < DRAWS; draw++) {
      const moved = await this.#evidence.movedPair(this.#model, row, draw);
      if (!moved) return null;
      expected = most(expected, expectedIn(moved, this.#evidence.sizeAt(row)));
      if (!standsOut(pair, expected)) return expected;
    }
    return null;
  }
}

/** Whether an error is a multiple of the output, or one constant; `rms` is the output's. */
function isShaped({ n, cosine, rmsRatio, relativeRmsError, sum }: Measure, rms: number): boolean {
  // Of a record x and our output y: x · y / ‖y‖² - 1.
  const along = Math.abs(cosine * rmsRatio - 1);
  const constant = Math.abs(sum.ours - sum.reference) / n / rms;
  return Math.max(along, constant) > SHAPED * relativeRmsError;
}

/** The error of a part: what came in and its own noise, which of a part that is small beside its tensor is the tensor's. */
function expectedOf({ n, error, reference }: Part, { whole, size }: Expected): number {
  return Math.hypot(error, size * Math.max(reference, rmsOf(whole) * Math.sqrt(n)));
}

function rmsOf({ n, reference }: Part): number {
  return reference / Math.sqrt(Math.max(1, n));
}

function standsOut(pair: Pair, expected: Expected): boolean {
  const { measure: found, parts } = measure(pair);
  if (found.nonFinite > 0 || parts.whole.error > MARGIN * expectedOf(expected.whole, expected)) return true;
  const hasPart = (along: readonly Part[] | null, moved: readonly Part[] | null) =>
    (along ?? []).some(({ n, error }, i) => {
      const margin = MARGIN * gaussianMargin(Math.max(1, n), along?.length ?? 1);
      return error > margin * expectedOf(moved?.[i] ?? expected.whole, expected);
    });
  return hasPart(parts.tokens, expected.tokens) || hasPart(parts.heads, expected.heads) || hasElement(pair, expected);
}

/** Whether an element is further off than its own noise, its tensor's and what was seen to come in allow together. */
function hasElement(pair: Pair, { whole, size, maxAbsError }: Expected): boolean {
  const { ours, reference } = pair;
  let isFound = false;
  eachRow(pair, (from, to) => {
    for (let i = from; i < to && !isFound; i++) {
      const y = reference[i] as number;
      const bound = ELEMENT_MARGIN * size * (Math.abs(y) + rmsOf(whole)) + MARGIN * maxAbsError;
      isFound = Math.abs((ours[i] as number) - y) > bound;
    }
  });
  return isFound;
}

/** How far noise moves an op's output, and the parts of it. */
interface Expected {
  /** The noise of the tensor itself, relative RMS error. */
  readonly size: number;
  readonly whole: Part;
  readonly tokens: readonly Part[] | null;
  readonly heads: readonly Part[] | null;
  readonly maxAbsError: number;
}

function expectedIn(moved: Pair, size: number): Expected {
  const { measure: found, parts } = measure(moved);
  return { size, ...parts, maxAbsError: found.maxAbsError };
}

/** Of two draws the larger error, part by part. */
function most(one: Expected | null, other: Expected): Expected {
  if (!one) return other;
  const larger = (a: Part, b: Part | undefined) => (b && b.error > a.error ? b : a);
  return {
    size: one.size,
    whole: larger(one.whole, other.whole),
    tokens: one.tokens?.map((part, i) => larger(part, other.tokens?.[i])) ?? null,
    heads: one.heads?.map((part, i) => larger(part, other.heads?.[i])) ?? null,
    maxAbsError: Math.max(one.maxAbsError, other.maxAbsError),
  };
}
