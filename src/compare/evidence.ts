/**
 * What a recorded trace says of a model's ops: how far each, run on the trace's own inputs, stays from the output that the
 * trace holds, and how far it may, given the noise of the recording.
 *
 * The noise is measured on the trace itself: most ops of most engines are right, so the middle one's error is what
 * storage in f16, ggml's arithmetic or a printed log do to every number. An op can make more of it than it got (softmax makes
 * an absolute error of a relative one): each is run a second time on inputs that are off by the noise, and what that changes is
 * what nobody can hold against it.
 */
import type { Model } from '../engine/model.ts';
import { StepError } from '../errors.ts';
import { RandomBits } from '../gguf/random_blocks.ts';
import type { Tensor } from '../trace/tensor.ts';
import { RowTrace, type Trace, type TraceRow } from '../trace/trace.ts';
import type { Recorded } from './isolation.ts';
import { measure } from './measure.ts';
import { rerunStep } from './rerun.ts';

/** Ops that are run to learn the noise. */
const SAMPLES = 24;

/** What f32 leaves of one op on identical inputs, as DESIGN allows a norm. */
const LEAST_NOISE = 1e-6;

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
  /** Relative RMS error that the recording is taken to have in every tensor. */
  readonly noise: number;
  readonly #noisy: Trace;

  private constructor({ trace, label }: Recorded, names: ReadonlySet<string>, noise: number) {
    this.trace = plainTrace(trace, names);
    this.label = label;
    this.rows = this.trace.entries.filter(({ hasValues }) => hasValues);
    this.known = new Set(this.rows.map(({ name }) => name));
    this.noise = noise;
    this.#noisy = noisyTrace(this.trace, noise);
  }

  static async of(recorded: Recorded, healthy: Model): Promise<Evidence> {
    const names = new Set(healthy.steps.map(({ name }) => name));
    const exact = new Evidence(recorded, names, LEAST_NOISE);
    const every = Math.max(1, Math.ceil(exact.rows.length / SAMPLES));
    const errors: number[] = [];
    for (let i = 0; i < exact.rows.length; i += every) {
      const error = await exact.errorOf(healthy, exact.rows[i] as TraceRow);
      if (error) errors.push(error.error);
    }
    const middle = errors.sort((a, b) => a - b)[Math.floor(errors.length / 2)] ?? 0;
    return new Evidence(recorded, names, Math.max(LEAST_NOISE, Number.isFinite(middle) ? middle : 0));
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
    return Math.hypot(this.noise, Number.isFinite(change) ? change : 0);
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

function missOf(ours: Tensor, recorded: Tensor, { pos0 }: TraceRow): Omit<Miss, 'noise'> {
  const { shape, dims } = recorded;
  const pair = { ours: ours.data, reference: recorded.data, shape, dims, pos0, offsets: null };
  const { measure: whole, byHead } = measure(pair);
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
function noisyTrace(trace: Trace, noise: number): Trace {
  return derived(trace, trace.entries, ({ data }, row) => {
    const rms = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / Math.max(1, data.length));
    const random = new RandomBits(row.pos0, row.name.length);
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
