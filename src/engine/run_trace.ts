/** A run seen as a trace: its rows as they are computed, its values read from the device when somebody asks. */
import { sha256 } from 'hash-wasm';
import { StepError } from '../errors.ts';
import type { NameIndex } from '../llama/names.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import type { Watch } from '../platform.ts';
import { ArrowTraceWriter, arrowBytes } from '../trace/arrow_writer.ts';
import type { Statistics } from '../trace/statistics.ts';
import type { Tensor } from '../trace/tensor.ts';
import {
  type EndRecord,
  type Manifest,
  type PassChoice,
  RowTrace,
  type Trace,
  type TraceRow,
  traceText,
} from '../trace/trace.ts';
import type { Observed, PassState, Session } from './backend.ts';
import type { Origin } from './model.ts';
import type { Run } from './run.ts';
import { mustGoOn, watchedBy } from './watched.ts';

/** Takes a trace's rows one after the other: an Arrow file being written. */
export interface RowSink {
  append(row: TraceRow, values?: Float32Array): Promise<void>;
}

export class RunTrace implements Trace {
  readonly #run: Run;
  readonly #session: Session;
  readonly #names: NameIndex;
  readonly #observed: Observed;
  #origin: Origin;
  #rows: TraceRow[] = [];
  /** Indexes the rows as they are added; begun anew where some were taken back. */
  #index: RowTrace | null = null;
  #flushed = 0;

  constructor(run: Run, session: Session, names: NameIndex, observed: Observed, origin: Origin) {
    this.#run = run;
    this.#session = session;
    this.#names = names;
    this.#observed = observed;
    this.#origin = origin;
  }

  get manifest(): Manifest {
    const { model, steps, tokens } = this.#run;
    const plan = this.#origin.plan ?? model.backend.plan(steps, this.#observed);
    this.#origin = { ...this.#origin, plan };
    return model.manifest(tokens, this.#origin);
  }

  get end(): EndRecord {
    const { sampled } = this.#run;
    return { tokens: this.#run.tokens, sampled, dropped: this.#session.usage().dropped };
  }

  get names(): readonly string[] {
    return [...new Set(this.#rows.map(({ name }) => name))];
  }

  get entries(): readonly TraceRow[] {
    return this.#rows;
  }

  toString(): string {
    return traceText(this);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  select(globs: string | readonly string[]): readonly TraceRow[] {
    const chosen = this.#names.select(globs);
    return this.#rows.filter(({ name }) => chosen.has(name));
  }

  tensor(name: string, options: { readonly pass: 'all' }): Promise<Tensor[]>;
  tensor(name: string, options?: { readonly pass?: number | 'last' }): Promise<Tensor>;
  tensor(name: string, options: { readonly pass?: PassChoice } = {}): Promise<Tensor | Tensor[]> {
    return this.#view.tensor(this.#names.find(name) ?? name, options as { readonly pass: 'all' });
  }

  /** The values of a row; only where `hasValues`. */
  async values(row: TraceRow): Promise<Float32Array> {
    return (await this.#session.read(row.pass, row.name)).data;
  }

  /** Adds rows for the steps from … to-1 that were just computed. */
  record(pass: PassState, from: number, to: number): void {
    for (const step of this.#run.steps.slice(from, to)) {
      const statistics = this.#session.statistics(pass.index, step.name);
      if (statistics) this.#rows.push(this.#row(step, pass, statistics));
    }
  }

  /** Sends every row to a sink, with the values of what was chosen and is still kept; gives what comes after the last row. */
  async writeTo(sink: RowSink): Promise<EndRecord> {
    for (const row of this.#rows) await this.#send(row, sink);
    return this.end;
  }

  /**
   * Writes the trace as an Arrow file: every row, with the values of what `select` chose and is still kept. The file appears when it is whole;
   * its folder must be there. Returns its size in bytes. Throws InterruptedError where it is stopped; there is no file then.
   */
  async writeArrow(path: string, watch: Watch = {}): Promise<number> {
    const { model } = this.#run;
    const { stop, onProgress } = watchedBy(model.platform, watch);
    await model.sha256(watch);
    return model.platform.writeFile(path, async (write) => {
      const writer = new ArrowTraceWriter({ write }, this.manifest, { sha256: (bytes) => sha256(bytes) });
      const total = this.#rows.reduce((sum, row) => sum + this.#bytesOf(row), 0);
      let done = 0;
      const sink: RowSink = {
        append: async (row, values) => {
          mustGoOn(stop, `write ${path}`, 'write it again to have it');
          await writer.append(row, values);
          done += this.#bytesOf(row);
          onProgress?.({ task: `writing ${path}`, item: row.name, done, total, unit: 'bytes' });
        },
      };
      await writer.end(await this.writeTo(sink));
    });
  }

  /** Throws where a sink already has a row of step `from` of a pass, or a later one: nothing takes it back. */
  mustNotHaveSent(pass: number, from: number): void {
    const isLater = this.#isFrom(pass, from);
    const first = this.#rows.slice(0, this.#flushed).find(isLater);
    if (!first) return;
    throw new StepError(
      `Cannot change ${first.name} of pass ${first.pass} or go back to before it: its row was written already; ` +
        'start the run without a sink and write its trace when it is done',
      { step: first.name },
    );
  }

  /** Sends rows not sent yet to a sink, with the values of what was chosen. */
  async flush(sink: RowSink): Promise<void> {
    for (; this.#flushed < this.#rows.length; this.#flushed++) await this.#send(this.#rows[this.#flushed]!, sink);
  }

  rewind(pass: number, cursor: number): void {
    const isGone = this.#isFrom(pass, cursor);
    this.#rows = this.#rows.filter((row) => !isGone(row));
    this.#index = null;
  }

  /** Whether a row is of step `from` of a pass, or of a later one. */
  #isFrom(pass: number, from: number): (row: TraceRow) => boolean {
    const names = new Set(this.#run.steps.slice(from).map(({ name }) => name));
    return (row) => row.pass > pass || (row.pass === pass && names.has(row.name));
  }

  get #view(): RowTrace {
    this.#index ??= new RowTrace({
      manifest: {},
      entries: this.#rows,
      values: (row) => this.values(row),
      source: `the run of ${this.#run.model.name}`,
    });
    return this.#index;
  }

  async #send(row: TraceRow, sink: RowSink): Promise<void> {
    await sink.append(row, this.#sendsValues(row) ? await this.values(row) : undefined);
  }

  #sendsValues(row: TraceRow): boolean {
    return this.#observed.values(row.name) && row.hasValues;
  }

  /** About how many bytes of a file a row takes. */
  #bytesOf(row: TraceRow): number {
    return arrowBytes(1, this.#sendsValues(row) ? sizeOf(row.shape) : 0);
  }

  #row(step: Step, pass: PassState, statistics: Statistics): TraceRow {
    const session = this.#session;
    const { hook, hf } = this.#names.aliases(step.name);
    return {
      run: 'run',
      seq: this.#rows.length,
      pass: pass.index,
      step: step.name,
      name: step.name,
      hook,
      hf,
      layer: step.layer,
      op: step.op,
      pos0: pass.nPast,
      srcDtype: 'f32',
      shape: session.shape(pass.index, step.name) ?? [],
      dims: step.dims,
      get statistics() {
        return session.statistics(pass.index, step.name) ?? statistics;
      },
      sha256: null,
      get hasValues() {
        return session.has(pass.index, step.name);
      },
    };
  }
}
