/**
 * A trace: what a forward pass computed, as named tensors. A run on our engine, a run of llama.cpp and an Arrow file all
 * are one, so that charts and compare never ask which.
 */
import { TraceError } from '../errors.ts';
import { type Named, selects } from './select.ts';
import type { Statistics } from './statistics.ts';
import { Tensor } from './tensor.ts';

/** One value of one name: everything about it but the values. A row of the Arrow file. */
export interface TraceRow extends Named {
  /** Which run; rows of one trace have one. */
  readonly run: string;
  /** Order of computation, from 0, over all passes. */
  readonly seq: number;
  /** 0 is the prefill; each generated token adds one. */
  readonly pass: number;
  /** The step that made it; other than `name` where a producer has names of its own. */
  readonly step: string;
  /** llama.cpp's name with the layer: `l_out-0`. */
  readonly name: string;
  /** TransformerLens' name: `blocks.0.hook_resid_post`. */
  readonly hook: string | null;
  /** Hugging Face's module: `model.layers.0`. */
  readonly hf: string | null;
  readonly layer: number | null;
  readonly op: string;
  /** Position of the pass's first token; of a row that keeps the last tokens alone it may be that of the first it keeps. */
  readonly pos0: number;
  /** The type in which the producer held it: `f32`, `f16`. */
  readonly srcDtype: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  readonly statistics: Statistics;
  /** Of the f32 bytes, 64 hexadecimal digits; null where it was not computed. */
  readonly sha256: string | null;
  /** False where only statistics were kept. */
  readonly hasValues: boolean;
  /** What is known, where that is less than everything; `hasValues` is false then. A log or a table of sums has such rows. */
  readonly partly?: PartlyKnown;
}

/** A value of which a foreign source tells a part. Statistics it does not tell are NaN, null, 0 or ''; `known` names those it does. */
export interface PartlyKnown {
  readonly known: readonly (keyof Statistics)[];
  /** Half a unit of the last digit that `sum` was printed with; 0 where it is exact. */
  readonly sumResolution: number;
  /** Elements that were printed; null where none was. */
  readonly sample: Sample | null;
}

/** Some elements of a value. */
export interface Sample {
  /** Row-major offsets, ascending. */
  readonly offsets: Uint32Array;
  /** As many. */
  readonly values: Float32Array;
  /** Half a unit of the last digit they were printed with. */
  readonly resolution: number;
}

/** What is known of a run at its start. Plain data; producers add to it. */
export interface Manifest {
  readonly producer?: string;
  readonly version?: string;
  /** sha256 of the model file. */
  readonly model?: string;
  readonly architecture?: string;
  readonly quantisation?: string;
  /** The text that the tokens came from, before a chat template. */
  readonly prompt?: string;
  /** The chat template's own text, where one was used. */
  readonly template?: string;
  /** The prompt's token ids. */
  readonly tokens?: readonly number[];
  /** The same tokens as text. */
  readonly pieces?: readonly string[];
  readonly [key: string]: unknown;
}

/** What is known only at the end: sampled tokens, the sampler's stages, why it stopped. Plain data. */
export type EndRecord = Readonly<Record<string, unknown>>;

export type PassChoice = number | 'last' | 'all';

export interface Trace {
  readonly manifest: Manifest;
  /** Null while the run goes on, and in files that have none. */
  readonly end: EndRecord | null;
  /** Each name once, in order of computation. */
  readonly names: readonly string[];
  /** In order of computation. */
  readonly entries: readonly TraceRow[];
  /** The entries that a glob over names and aliases picks; see `selects`. */
  select(globs: string | readonly string[]): readonly TraceRow[];
  /** A value by name or alias; of the last pass unless said otherwise. Throws TraceError where it was not kept. */
  tensor(name: string, options: { readonly pass: 'all' }): Promise<Tensor[]>;
  tensor(name: string, options?: { readonly pass?: number | 'last' }): Promise<Tensor>;
}

/** `Trace: 111 tensors, embd to result_output` */
export function traceText({ entries }: Trace): string {
  const [first, last] = [entries[0], entries.at(-1)];
  return `Trace: ${entries.length} tensors${first && last ? `, ${first.name} to ${last.name}` : ''}`;
}

export interface TraceParts {
  readonly manifest: Manifest;
  readonly end?: EndRecord | null;
  /** May grow while the trace is in use. */
  readonly entries: readonly TraceRow[];
  /** The values of an entry whose `hasValues` is true. */
  values(row: TraceRow): Promise<Float32Array>;
  /** What errors call it: a file name, or "this run". */
  readonly source: string;
}

/** A trace over rows and a way to load values: what every producer of traces shares. */
export class RowTrace implements Trace {
  readonly #parts: TraceParts;
  readonly #byName = new Map<string, TraceRow[]>();
  #indexed = 0;

  constructor(parts: TraceParts) {
    this.#parts = parts;
  }

  get manifest(): Manifest {
    return this.#parts.manifest;
  }

  get end(): EndRecord | null {
    return this.#parts.end ?? null;
  }

  get entries(): readonly TraceRow[] {
    return this.#parts.entries;
  }

  toString(): string {
    return traceText(this);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  get names(): readonly string[] {
    return [...new Set(this.entries.map((row) => row.name))];
  }

  select(globs: string | readonly string[]): readonly TraceRow[] {
    const picks = selects(globs);
    return this.entries.filter((row) => picks(row));
  }

  tensor(name: string, options: { readonly pass: 'all' }): Promise<Tensor[]>;
  tensor(name: string, options?: { readonly pass?: number | 'last' }): Promise<Tensor>;
  async tensor(name: string, { pass = 'last' }: { readonly pass?: PassChoice } = {}): Promise<Tensor | Tensor[]> {
    const rows = this.#named(name);
    if (pass === 'all') return Promise.all(rows.map((row) => this.#load(row)));
    const row = pass === 'last' ? rows.at(-1) : rows.find((candidate) => candidate.pass === pass);
    if (row) return this.#load(row);
    const passes = rows.map((candidate) => candidate.pass);
    throw this.#failure(name, `it has no pass ${pass}`, `one of ${passes.join(', ')}, 'last' or 'all'`);
  }

  #named(name: string): TraceRow[] {
    for (; this.#indexed < this.entries.length; this.#indexed++) this.#index(this.entries[this.#indexed] as TraceRow);
    const rows = this.#byName.get(name);
    if (rows) return rows;
    const near = this.names.filter((known) => known.split('-')[0] === name.split('-')[0]);
    const some = near.length > 0 ? near : this.names;
    throw this.#failure(
      name,
      'no tensor has that name or alias',
      `such as ${some.slice(0, 5).join(', ')} (trace.names has all)`,
    );
  }

  /** The primary name wins over an alias of another tensor. */
  #index(row: TraceRow): void {
    for (const key of new Set([row.name, row.hook, row.hf])) {
      if (key === null) continue;
      const rows = this.#byName.get(key) ?? [];
      if (rows[0] && rows[0].name !== row.name) {
        if (key !== row.name) continue;
        rows.length = 0;
      }
      rows.push(row);
      this.#byName.set(key, rows);
    }
  }

  async #load(row: TraceRow): Promise<Tensor> {
    if (!row.hasValues) {
      throw this.#failure(row.name, 'only its statistics were kept', `a run started with select: '${row.name}'`);
    }
    const data = await this.#parts.values(row);
    return new Tensor({ name: row.name, shape: row.shape, dims: row.dims, data });
  }

  #failure(name: string, found: string, wanted: string): TraceError {
    const { source } = this.#parts;
    return new TraceError(`Cannot read tensor ${name} of ${source}: ${found}; wanted ${wanted}`, { tensor: name });
  }
}
