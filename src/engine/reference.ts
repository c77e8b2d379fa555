/**
 * The reference backend: every step in f64, one after the other, nothing fused. It is the oracle of the ops; its own
 * witness is llama.cpp (fixtures/golden).
 */
import { InterruptedError, StepError } from '../errors.ts';
import type { ReferenceInputs, Shape, Values, WeightRows } from '../ops/op.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import { type Statistics, statisticsOf } from '../trace/statistics.ts';
import type { Backend, ExecuteRequest, Observed, Output, PassState, Session } from './backend.ts';
import { placeOutputs, type Segment } from './plan.ts';
import { matrixShape, opOf, outputShapes } from './shapes.ts';
import { partlyWritten } from './unwritten.ts';
import { mustGoOn } from './watched.ts';
import { hostWeight, type WeightSource } from './weight_store.ts';

/** Blocks of weights kept in memory between steps, in bytes. */
const WEIGHT_CACHE_BYTES = 2 ** 30;

export function referenceBackend(weights: WeightSource, cache = new WeightCache(weights)): Backend {
  return {
    name: 'reference',
    adapter: 'f64 in TypeScript',
    plan: () => ({ fused: [] }),
    kernels: async ({ name }) => ({ together: [name], kernels: [] }),
    maxPassTokens: () => 512,
    session: (budget) => new ReferenceSession(weights, cache, budget),
    over: (others) => referenceBackend(others, cache.over(others)),
    close: async () => {},
  };
}

/** By name; the least recently used stand first. */
type CachedWeights = Map<string, { rows: Promise<WeightRows>; bytes: number }>;

/** Least recently used weights go first. */
class WeightCache {
  readonly #source: WeightSource;
  readonly #rows: CachedWeights;

  constructor(source: WeightSource, rows: CachedWeights = new Map()) {
    this.#source = source;
    this.#rows = rows;
  }

  /** The same memory, for a source that has more weights. */
  over(source: WeightSource): WeightCache {
    return new WeightCache(source, this.#rows);
  }

  get(name: string): Promise<WeightRows> {
    const found = this.#rows.get(name);
    if (found) {
      this.#rows.delete(name);
      this.#rows.set(name, found);
      return found.rows;
    }
    const rows = hostWeight(this.#source, name);
    const bytes = sizeOf(this.#source.info(name)?.shape ?? []) * 2;
    this.#rows.set(name, { rows, bytes });
    rows.catch(() => this.#rows.delete(name));
    let total = [...this.#rows.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    for (const [oldest, entry] of this.#rows) {
      if (total <= WEIGHT_CACHE_BYTES || oldest === name) break;
      this.#rows.delete(oldest);
      total -= entry.bytes;
    }
    return rows;
  }
}

/** A cache slot: positions' values of shape `rowShape`. */
interface Slot {
  readonly rowShape: Shape;
  readonly rows: Float64Array[];
}

/** What is known of one pass. */
interface PassRecord {
  readonly index: number;
  readonly steps: readonly Step[];
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly segments: readonly Segment[];
  readonly values: Map<string, Values>;
  /** What outputs of each size left in memory; null where no step reads it. */
  readonly memory: Map<number, Values['data']> | null;
  readonly statistics: Map<string, Statistics>;
}

/** Milliseconds of computing after which the host's event loop has a turn. */
const TURN_MS = 50;

/** Turns for timers, messages and signals of the host, which would wait until a pass is over. */
class Turns {
  #last = performance.now();

  /** Gives a turn where the last one is long ago; one costs a host up to a few milliseconds. */
  async give(): Promise<void> {
    if (performance.now() - this.#last < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#last = performance.now();
  }
}

class ReferenceSession implements Session {
  readonly #weights: WeightSource;
  readonly #cache: WeightCache;
  readonly #budget: number;
  readonly #passes = new Map<number, PassRecord>();
  /** Chosen values that no step waits for, oldest first: by pass and name, with their pass. */
  readonly #kept = new Map<string, { readonly record: PassRecord; readonly name: string }>();
  #keptBytes = 0;
  readonly #slots = new Map<string, Slot>();
  #dropped = 0;
  readonly #turns = new Turns();

  constructor(weights: WeightSource, cache: WeightCache, budget: number) {
    this.#weights = weights;
    this.#cache = cache;
    this.#budget = budget;
  }

  async execute(request: ExecuteRequest): Promise<number> {
    const { pass, steps, observed, stop } = request;
    const record = this.#passes.get(pass.index) ?? this.#begin(request);
    let done = request.from;
    for (; done < request.to; done++) {
      const step = steps[done]!;
      const pause = async () => {
        await this.#turns.give();
        mustGoOn(stop, `finish ${step.name}`, 'the next move runs it');
      };
      let output: Values;
      try {
        await pause();
        output = await this.#compute(step, pass, record.values, pause);
      } catch (error) {
        if (error instanceof InterruptedError) break;
        throw error;
      }
      if (step.unwritten) {
        const data = partlyWritten(step.unwritten, output.data, record.memory?.get(output.data.length));
        output = { shape: output.shape, data };
      }
      record.memory?.set(output.data.length, output.data);
      record.values.set(step.name, output);
      if (observed.statistics(step.name)) {
        record.statistics.set(step.name, statisticsOf(Float32Array.from(output.data)));
      }
      if (step.writes) this.#append(step.writes, pass, output);
      this.#retire(record, done + 1, observed);
      await request.onDone?.(done + 1);
    }
    return done;
  }

  async #compute(
    step: Step,
    pass: PassState,
    values: ReadonlyMap<string, Values>,
    pause: () => Promise<void>,
  ): Promise<Values> {
    const op = opOf(step);
    const tensors: Record<string, Values> = {};
    const weights: Record<string, WeightRows> = {};
    const shapes: Record<string, Shape> = {};
    for (const [role, name] of Object.entries(step.inputs)) {
      switch (op.inputs[role]?.kind) {
        case 'weight':
          weights[role] = await this.#cache.get(name);
          shapes[role] = matrixShape(weights[role].shape);
          break;
        case 'tokens':
          tensors[role] = { shape: [pass.nTokens], data: Float64Array.from(pass.tokens) };
          break;
        case 'cache':
          tensors[role] = this.#slot(name, pass, step);
          break;
        default: {
          const input = values.get(name);
          if (!input) {
            throw new StepError(
              `Cannot run step ${step.name}: its input ${name} is no longer kept; go back to an earlier step, or start with a larger budget`,
              { step: step.name },
            );
          }
          tensors[role] = input;
        }
      }
      if (tensors[role]) shapes[role] = tensors[role].shape;
    }
    if (op.table) tensors.table = op.table(step.params, pass, weights);
    const inputs: ReferenceInputs = { tensors, weights, pause };
    return { shape: op.shape(shapes, step.params, pass), data: await op.reference(inputs, step.params, pass) };
  }

  #append(name: string, { nPast, nTokens }: PassState, { shape, data }: Values): void {
    const slot = this.#slots.get(name) ?? { rowShape: shape.slice(1), rows: [] };
    const width = data.length / nTokens;
    for (let t = 0; t < nTokens; t++) {
      slot.rows[nPast + t] = Float64Array.from(data.subarray(t * width, (t + 1) * width));
    }
    this.#slots.set(name, slot);
  }

  #slot(name: string, pass: PassState, step: Step): Values {
    const length = pass.nPast + pass.nTokens;
    const { rowShape, rows } = this.#slots.get(name) ?? { rowShape: [], rows: [] };
    if (rows.length < length) {
      throw new StepError(
        `Cannot run step ${step.name}: cache slot ${name} holds ${rows.length} of ${length} positions`,
        { step: step.name },
      );
    }
    const width = sizeOf(rowShape);
    const data = new Float64Array(length * width);
    for (let t = 0; t < length; t++) data.set(rows[step.cached?.(t, pass) ?? t]!, t * width);
    return { shape: [length, ...rowShape], data };
  }

  /** A new pass; what earlier ones still hold, no step waits for any more. */
  #begin({ pass, steps, observed }: ExecuteRequest): PassRecord {
    for (const before of this.#passes.values()) {
      for (const segment of before.segments) this.#letGo(before, segment, observed);
    }
    const shapes = outputShapes(steps, pass, (name) => this.#weights.info(name)?.shape);
    const record: PassRecord = {
      index: pass.index,
      steps,
      shapes,
      segments: placeOutputs(steps, shapes),
      values: new Map(),
      memory: steps.some(({ unwritten }) => unwritten) ? new Map() : null,
      statistics: new Map(),
    };
    this.#passes.set(pass.index, record);
    return record;
  }

  /** At the end of a segment, lets go of those that nothing later reads; the pass's last one stays for a sampler. */
  #retire(record: PassRecord, done: number, observed: Observed): void {
    const next = record.segments.findIndex(({ from }) => from === done);
    for (const segment of next < 0 ? [] : record.segments) {
      if (segment.lastUse < next) this.#letGo(record, segment, observed);
    }
  }

  /** Keeps what was chosen, within the budget: the oldest go first. */
  #letGo(record: PassRecord, { from, to }: Segment, observed: Observed): void {
    for (const { name } of record.steps.slice(from, to)) {
      const value = record.values.get(name);
      const key = keyOf(record.index, name);
      if (!value || this.#kept.has(key)) continue;
      if (observed.values(name)) {
        this.#kept.set(key, { record, name });
        this.#keptBytes += value.data.byteLength;
      } else record.values.delete(name);
    }
    for (const [key, { record, name }] of this.#kept) {
      if (this.#keptBytes <= this.#budget) break;
      this.#release(key);
      record.values.delete(name);
      this.#dropped++;
    }
  }

  /** Takes a value out of those that no step waits for. */
  #release(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#keptBytes -= kept.record.values.get(kept.name)?.data.byteLength ?? 0;
    this.#kept.delete(key);
  }

  has(pass: number, name: string): boolean {
    return this.#passes.get(pass)?.values.has(name) ?? false;
  }

  async read(pass: number, name: string, rows?: { start: number; count: number }): Promise<Output> {
    const { shape, data } = this.#value(pass, name);
    if (!rows) return { shape, data: Float32Array.from(data) };
    const width = data.length / (shape[0] ?? 1);
    const part = data.subarray(rows.start * width, (rows.start + rows.count) * width);
    return { shape: [rows.count, ...shape.slice(1)], data: Float32Array.from(part) };
  }

  async write(pass: PassState, step: Step, data: Float32Array): Promise<void> {
    const { shape } = this.#value(pass.index, step.name);
    const { values, statistics } = this.#passes.get(pass.index)!;
    const value: Values = { shape, data: Float64Array.from(data) };
    values.set(step.name, value);
    if (statistics.has(step.name)) statistics.set(step.name, statisticsOf(data));
    if (step.writes) this.#append(step.writes, pass, value);
  }

  #value(pass: number, name: string): Values {
    const value = this.#passes.get(pass)?.values.get(name);
    if (value) return value;
    throw new StepError(`Cannot read ${name}: pass ${pass} does not keep it`, { step: name });
  }

  statistics(pass: number, name: string): Statistics | null {
    return this.#passes.get(pass)?.statistics.get(name) ?? null;
  }

  shape(pass: number, name: string): Shape | null {
    return this.#passes.get(pass)?.shapes.get(name) ?? null;
  }

  rewind(pass: number, steps: readonly Step[], from: number): void {
    for (const { index, values, statistics } of [...this.#passes.values()]) {
      if (index < pass) continue;
      // Kept or not, what lies before may be read again: the steps to come will let go of it once more.
      for (const { name } of steps) this.#release(keyOf(index, name));
      for (const { name } of steps.slice(from)) {
        values.delete(name);
        statistics.delete(name);
      }
      if (index > pass) this.#passes.delete(index);
    }
  }

  usage() {
    let bytes = 0;
    for (const { values } of this.#passes.values()) {
      for (const { data } of values.values()) bytes += data.byteLength;
    }
    return { bytes, dropped: this.#dropped };
  }

  close(): void {
    this.#passes.clear();
    this.#kept.clear();
    this.#slots.clear();
  }
}

function keyOf(pass: number, name: string): string {
  return `${pass} ${name}`;
}
