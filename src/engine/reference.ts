/**
 * The reference backend: every step in f64, one after the other, nothing fused. It is the oracle of the ops; its own
 * witness is llama.cpp (fixtures/golden).
 */
import { StepError } from '../errors.ts';
import type { ReferenceInputs, Shape, Values, WeightRows } from '../ops/op.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import { type Statistics, statisticsOf } from '../trace/statistics.ts';
import type { Backend, ExecuteRequest, Observed, Output, PassState, Session } from './backend.ts';
import { matrixShape, opOf, outputShapes } from './shapes.ts';
import { hostWeight, type WeightSource } from './weight_store.ts';

/** Blocks of weights kept in memory between steps, in bytes. */
const WEIGHT_CACHE_BYTES = 2 ** 30;

export function referenceBackend(weights: WeightSource): Backend {
  const cache = new WeightCache(weights);
  return {
    name: 'reference',
    adapter: 'f64 in TypeScript',
    maxPassTokens: () => 512,
    session: (budget) => new ReferenceSession(weights, cache, budget),
    close: async () => {},
  };
}

/** Least recently used weights go first. */
class WeightCache {
  readonly #source: WeightSource;
  readonly #rows = new Map<string, { rows: Promise<WeightRows>; bytes: number }>();

  constructor(source: WeightSource) {
    this.#source = source;
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

interface Kept {
  readonly values: Values;
  readonly statistics: Statistics | null;
}

class ReferenceSession implements Session {
  readonly #weights: WeightSource;
  readonly #cache: WeightCache;
  readonly #budget: number;
  readonly #passes = new Map<number, Map<string, Kept>>();
  readonly #statistics = new Map<string, Statistics>();
  readonly #slots = new Map<string, Float64Array[]>();
  #dropped = 0;

  constructor(weights: WeightSource, cache: WeightCache, budget: number) {
    this.#weights = weights;
    this.#cache = cache;
    this.#budget = budget;
  }

  async execute(request: ExecuteRequest): Promise<number> {
    const { pass, steps, observed } = request;
    outputShapes(steps, pass, (name) => this.#weights.info(name)?.shape);
    const kept = this.#passes.get(pass.index) ?? this.#begin(pass.index, observed);
    let done = request.from;
    for (; done < request.to; done++) {
      if (request.signal?.aborted) break;
      const step = steps[done]!;
      const output = await this.#compute(step, pass, kept);
      const watched = observed.statistics(step.name);
      const statistics = watched ? statisticsOf(Float32Array.from(output.data)) : null;
      kept.set(step.name, { values: output, statistics });
      if (statistics) this.#statistics.set(`${pass.index} ${step.name}`, statistics);
      if (step.writes) this.#append(step.writes, pass, output);
      await request.onDone?.(done + 1);
    }
    return done;
  }

  async #compute(step: Step, pass: PassState, kept: Map<string, Kept>): Promise<Values> {
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
          tensors[role] = this.#slot(name, pass.nPast + pass.nTokens, step);
          break;
        default: {
          const input = kept.get(name);
          if (!input) {
            throw new StepError(
              `Cannot run step ${step.name}: its input ${name} is no longer kept; go back to an earlier step, or start with a larger budget`,
              { step: step.name },
            );
          }
          tensors[role] = input.values;
        }
      }
      if (tensors[role]) shapes[role] = tensors[role].shape;
    }
    if (op.table) tensors.table = op.table(step.params, pass, weights);
    const inputs: ReferenceInputs = { tensors, weights };
    return { shape: op.shape(shapes, step.params, pass), data: op.reference(inputs, step.params, pass) };
  }

  #append(slot: string, pass: PassState, output: Values): void {
    const rows = this.#slots.get(slot) ?? [];
    const width = output.data.length / pass.nTokens;
    for (let t = 0; t < pass.nTokens; t++) {
      rows[pass.nPast + t] = Float64Array.from(output.data.subarray(t * width, (t + 1) * width));
    }
    this.#slots.set(slot, rows);
    this.#slotShapes.set(slot, output.shape.slice(1));
  }

  readonly #slotShapes = new Map<string, Shape>();

  #slot(slot: string, length: number, step: Step): Values {
    const rows = this.#slots.get(slot);
    const shape = this.#slotShapes.get(slot);
    if (!rows || !shape || rows.length < length) {
      throw new StepError(
        `Cannot run step ${step.name}: cache slot ${slot} holds ${rows?.length ?? 0} of ${length} positions`,
        {
          step: step.name,
        },
      );
    }
    const width = sizeOf(shape);
    const data = new Float64Array(length * width);
    for (let t = 0; t < length; t++) data.set(rows[t]!, t * width);
    return { shape: [length, ...shape], data };
  }

  /** A new pass. Earlier ones keep what was chosen, and beyond the budget the oldest go. */
  #begin(pass: number, observed: Observed): Map<string, Kept> {
    for (const [index, before] of this.#passes) {
      for (const name of [...before.keys()]) if (!observed.values(name)) before.delete(name);
      if (this.usage().bytes > this.#budget) {
        this.#dropped += before.size;
        this.#passes.delete(index);
      }
    }
    const kept = new Map<string, Kept>();
    this.#passes.set(pass, kept);
    return kept;
  }

  has(pass: number, name: string): boolean {
    return this.#passes.get(pass)?.has(name) ?? false;
  }

  async read(pass: number, name: string, rows?: { start: number; count: number }): Promise<Output> {
    const kept = this.#passes.get(pass)?.get(name);
    if (!kept) throw new StepError(`Cannot read ${name}: pass ${pass} does not keep it`, { step: name });
    const { shape, data } = kept.values;
    if (!rows) return { shape, data: Float32Array.from(data) };
    const width = data.length / (shape[0] ?? 1);
    const part = data.subarray(rows.start * width, (rows.start + rows.count) * width);
    return { shape: [rows.count, ...shape.slice(1)], data: Float32Array.from(part) };
  }

  async write(pass: PassState, step: Step, data: Float32Array): Promise<void> {
    const kept = this.#passes.get(pass.index)?.get(step.name);
    if (!kept) throw new StepError(`Cannot replace ${step.name}: it was not computed yet`, { step: step.name });
    const values: Values = { shape: kept.values.shape, data: Float64Array.from(data) };
    const statistics = kept.statistics && statisticsOf(data);
    this.#passes.get(pass.index)?.set(step.name, { values, statistics });
    if (statistics) this.#statistics.set(`${pass.index} ${step.name}`, statistics);
    if (step.writes) this.#append(step.writes, pass, values);
  }

  statistics(pass: number, name: string): Statistics | null {
    return this.#statistics.get(`${pass} ${name}`) ?? null;
  }

  shape(pass: number, name: string): Shape | null {
    return this.#passes.get(pass)?.get(name)?.values.shape ?? null;
  }

  rewind(pass: number, steps: readonly Step[], from: number): void {
    for (const step of steps.slice(from)) {
      this.#passes.get(pass)?.delete(step.name);
      this.#statistics.delete(`${pass} ${step.name}`);
    }
    for (const index of [...this.#passes.keys()]) if (index > pass) this.#passes.delete(index);
    for (const key of [...this.#statistics.keys()]) if (Number.parseInt(key, 10) > pass) this.#statistics.delete(key);
  }

  usage() {
    let bytes = 0;
    for (const kept of this.#passes.values()) for (const { values } of kept.values()) bytes += values.data.byteLength;
    return { bytes, dropped: this.#dropped };
  }

  close(): void {
    this.#passes.clear();
    this.#slots.clear();
  }
}
