/**
 * What a recorded trace says of a model's ops: how far each, run on the trace's own inputs, stays from the output that the
 * trace holds, and how far it may, given the noise of the recording.
 *
 * The noise is measured on the trace itself: most ops of most engines are right, so the middle one's error is what
 * storage in f16, ggml's arithmetic or a printed log do to every number. Products have a noise of their own, for many engines
 * round their factors and nothing else. An op can make more of it than it got (softmax makes
 * an absolute error of a relative one): each is run a second time on inputs that are off by the noise, and what that changes is
 * what nobody can hold against it.
 */
import type { Model } from '../engine/model.ts';
import { StepError } from '../errors.ts';
import { RandomBits } from '../gguf/random_blocks.ts';
import type { Tensor } from '../trace/tensor.ts';
import { RowTrace, type Trace, type TraceRow } from '../trace/trace.ts';
import type { Recorded } from './isolation.ts';
import { measure, type Pair } from './measure.ts';
import { rerunStep } from './rerun.ts';

/** Ops that are run to learn the noise. */
const SAMPLES = 24;
const GOLDEN = 0.6180339887;

/** What f32 leaves of one op on identical inputs, as DESIGN allows a norm. */
const LEAST_NOISE = 1e-6;

/** The most that rounding is known to cost an op: llama.cpp's Q8 activations (DESIGN). More is no rounding. */
export const MOST_NOISE = 1.5e-2;

/** An op's error may be so many times its noise: both are measured on one draw each. */
const MARGIN = 4;

/** Noises that a single element may be off by. */
const WIDELY = 6;

/** Shares of a tensor that must be right from its start, and wrong from there on, to speak of an end that nobody wrote. */
const LEAST_WRITTEN = 0.05;
const MOSTLY = 0.9;

/** A model's op against what was recorded of it. */
export interface Miss {
  /** Relative RMS error; Infinity where one is not a number and the other is. */
  readonly error: number;
  /** What the noise of the recording alone makes of it. */
  readonly noise: number;
  readonly byHead: readonly number[] | null;
}

/** Relative RMS errors. */
export interface Noises {
  readonly products: number;
  readonly others: number;
}

/** Ops that multiply one tensor or weight with another, and add up. */
const PRODUCTS: ReadonlySet<string> = new Set(['mul_mat', 'kq', 'kqv']);

export function reproduces({ error, noise }: Miss): boolean {
  return error <= MARGIN * noise;
}

export class Evidence {
  /** The trace without the tensors that only a faulty model has: a fault must not be fed what it made. */
  readonly trace: Trace;
  readonly label: string;
  /** Names of the tensors of which it holds values. */
  readonly known: ReadonlySet<string>;
  /** Tensors with values, in order of execution. */
  readonly rows: readonly TraceRow[];
  /** Relative RMS error that the recording is taken to have in what products give, and in all else. */
  readonly noise: Noises;
  readonly #noisy: Trace;
  readonly #products: ReadonlySet<string>;

  private constructor({ trace, label }: Recorded, { steps }: Model, noise: Noises) {
    const names = new Set(steps.map(({ name }) => name));
    this.#products = new Set(steps.flatMap(({ name, op }) => (PRODUCTS.has(op) ? [name] : [])));
    this.trace = plainTrace(trace, names);
    this.label = label;
    this.rows = this.trace.entries.filter(({ hasValues }) => hasValues);
    this.known = new Set(this.rows.map(({ name }) => name));
    this.noise = noise;
    this.#noisy = noisyTrace(this.trace, (row) => this.sizeAt(row), 0);
  }

  static async of(recorded: Recorded, healthy: Model): Promise<Evidence> {
    const exact = new Evidence(recorded, healthy, { products: LEAST_NOISE, others: LEAST_NOISE });
    const [products, others]: [number[], number[]] = [[], []];
    for (const row of exact.samples) {
      const found = await exact.errorOf(healthy, row);
      if (found) (exact.isProduct(row) ? products : others).push(found.error);
    }
    const noise = { products: middleOf(products), others: middleOf(others) };
    // Where most products are wrong, the noise is that of the rest.
    return new Evidence(recorded, healthy, noise.products > MOST_NOISE ? { ...noise, products: noise.others } : noise);
  }

  isProduct({ name }: TraceRow): boolean {
    return this.#products.has(name);
  }

  /** The noise of a tensor. */
  sizeAt(row: TraceRow): number {
    return this.isProduct(row) ? this.noise.products : this.noise.others;
  }

  /** Some of the rows, spread by the golden ratio: in even steps they would all be of one op where a layer has as many tensors. */
  get samples(): readonly TraceRow[] {
    const { length } = this.rows;
    if (length <= SAMPLES) return this.rows;
    return Array.from({ length: SAMPLES }, (_, i) => this.rows[Math.floor(((i * GOLDEN) % 1) * length)] as TraceRow);
  }

  /** Without what the noise does; null where the trace lacks what the op is computed of. */
  async errorOf(model: Model, row: TraceRow): Promise<Omit<Miss, 'noise'> | null> {
    const output = await this.#output(model, row, this.trace);
    if (!output) return null;
    const recorded = await this.trace.tensor(row.name, { pass: row.pass });
    return output.shape.join() === recorded.shape.join() ? missOf(output, recorded, row) : null;
  }

  async missOf(model: Model, row: TraceRow): Promise<Miss | null> {
    const found = await this.errorOf(model, row);
    return found && { ...found, noise: await this.noiseOf(model, row) };
  }

  /** How far the op's output moves where its inputs do by the noise, and the noise of the output itself. */
  async noiseOf(model: Model, row: TraceRow): Promise<number> {
    const [output, moved] = [await this.#output(model, row, this.trace), await this.#output(model, row, this.#noisy)];
    const change = output && moved ? missOf(moved, output, row).error : 0;
    return Math.hypot(this.sizeAt(row), Number.isFinite(change) ? change : 0);
  }

  /** The op's output as the reference, held against the record. Null as in `errorOf`. */
  async recordedPair(model: Model, row: TraceRow): Promise<Pair | null> {
    const output = await this.#output(model, row, this.trace);
    if (!output) return null;
    const recorded = await this.trace.tensor(row.name, { pass: row.pass });
    return output.shape.join() === recorded.shape.join() ? pairOf(recorded, output, row) : null;
  }

  /** The op's output as the reference, held against what it gives where noise moves its inputs; another noise for each `draw`. */
  async movedPair(model: Model, row: TraceRow, draw: number): Promise<Pair | null> {
    const noisy = draw === 0 ? this.#noisy : noisyTrace(this.trace, (each) => this.sizeAt(each), draw);
    const [output, moved] = [await this.#output(model, row, this.trace), await this.#output(model, row, noisy)];
    return output && moved && pairOf(moved, output, row);
  }

  /**
   * The share at the end of a tensor that is wrong where all before it is right, both beyond doubt; null where it is not so. A
   * right element is within a few noises of its own size and its tensor's RMS.
   */
  async wrongEnd(model: Model, row: TraceRow, noise: number): Promise<number | null> {
    const output = await this.#output(model, row, this.trace);
    if (!output) return null;
    const { data } = await this.trace.tensor(row.name, { pass: row.pass });
    const rms = Math.sqrt(output.data.reduce((sum, x) => sum + x * x, 0) / Math.max(1, output.size));
    const isWrong = (x: number, i: number) =>
      !(Math.abs(x - (data[i] as number)) <= WIDELY * noise * (Math.abs(x) + rms));
    const from = output.data.findIndex(isWrong);
    const wrong = output.data.subarray(from).filter((x, i) => isWrong(x, from + i)).length;
    const isEnd = from >= LEAST_WRITTEN * data.length && wrong >= MOSTLY * (data.length - from);
    return isEnd ? (data.length - from) / data.length : null;
  }

  async #output(model: Model, { name, pass }: TraceRow, trace: Trace): Promise<Tensor | null> {
    try {
      return (await rerunStep(model, name, trace, { pass })).output;
    } catch (error) {
      if (error instanceof StepError) return null;
      throw error;
    }
  }
}

function middleOf(errors: readonly number[]): number {
  const middle = [...errors].sort((a, b) => a - b)[Math.floor(errors.length / 2)] ?? 0;
  return Math.max(LEAST_NOISE, Number.isFinite(middle) ? middle : 0);
}

function pairOf(ours: Tensor, reference: Tensor, { pos0 }: TraceRow): Pair {
  const { shape, dims } = reference;
  return { ours: ours.data, reference: reference.data, shape, dims, pos0, offsets: null };
}

function missOf(ours: Tensor, recorded: Tensor, row: TraceRow): Omit<Miss, 'noise'> {
  const { measure: whole, byHead } = measure(pairOf(ours, recorded, row));
  return { error: whole.nonFinite > 0 ? Number.POSITIVE_INFINITY : whole.relativeRmsError, byHead };
}

function plainTrace(trace: Trace, names: ReadonlySet<string>): Trace {
  return derived(
    trace,
    trace.entries.filter(({ name }) => names.has(name)),
    (tensor) => tensor.data,
  );
}

/** Every value up or down by the noise, half of it relative to the value and half to its tensor's RMS. Zeros stay. */
function noisyTrace(trace: Trace, sizeAt: (row: TraceRow) => number, draw: number): Trace {
  return derived(trace, trace.entries, ({ data }, row) => {
    const rms = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / Math.max(1, data.length));
    const [random, noise] = [new RandomBits(draw, row.seq), sizeAt(row)];
    return data.map((x) => {
      const size = noise * Math.SQRT1_2 * (x === 0 ? 0 : Math.abs(x) + rms);
      return x + (random.uniform() < 0.5 ? -size : size);
    });
  });
}

function derived(
  trace: Trace,
  entries: readonly TraceRow[],
  values: (tensor: Tensor, row: TraceRow) => Float32Array,
): Trace {
  return new RowTrace({
    manifest: trace.manifest,
    end: trace.end,
    entries,
    values: async (row) => values(await trace.tensor(row.name, { pass: row.pass }), row),
    source: 'the recorded trace',
  });
}
