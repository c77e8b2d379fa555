/**
 * A run: one text on its way through a model, step by step. It can be moved to any step, looked at, changed, taken back,
 * and continued token by token; the passes it makes over its tokens are numbered from 0.
 */
import { InterruptedError, StepError, UsageError } from '../errors.ts';
import type { NameIndex } from '../llama/names.ts';
import { sizeOf } from '../ops/shape.ts';
import type { Step } from '../ops/step.ts';
import type { Watch } from '../platform.ts';
import { Tensor } from '../trace/tensor.ts';
import type { PassChoice, Trace } from '../trace/trace.ts';
import type { Observed, PassState, Session, StepKernels } from './backend.ts';
import type { Model, Origin } from './model.ts';
import { type RowSink, RunTrace } from './run_trace.ts';
import { type Drawn, Sampler, type SamplerOptions } from './sampler.ts';
import { type Stop, type Watched, watchedBy } from './watched.ts';

export interface RunOptions extends Watch {
  /** Which tensors keep their values: globs over names and aliases. Default 'all', within the budget. */
  readonly select?: string | readonly string[];
  /** Compute statistics of every tensor on the device. Default true; false: only of those that `select` keeps. */
  readonly statistics?: boolean;
  /** Bytes of values to keep; beyond it the oldest go. Default 256 MB. */
  readonly budget?: number;
  /**
   * Words, repeated, that lie in an output's memory before its step runs, in place of what was there: whoever reads what
   * nobody wrote reads these (`findStale`). Slow. `reference` uses no memory twice and pays no heed to it.
   */
  readonly fill?: Uint32Array;
  /**
   * Takes rows as they are computed, with the values of what `select` chose; memory then stays flat. A row is sent once, so
   * such a run cannot go back to before one.
   */
  readonly sink?: RowSink;
}

export interface GenerateOptions extends SamplerOptions, Watch {
  readonly onToken?: (token: Sampled) => void;
  /** Stop when a token ends the answer (EOS, end of turn). Default true. */
  readonly stopAtEnd?: boolean;
}

export interface Sampled extends Drawn {
  readonly piece: string;
  readonly position: number;
}

/** What a run looks at: the values that `select` chooses, and statistics of those or of everything. */
export function observedBy(
  names: NameIndex,
  { select = 'all', statistics = true }: Pick<RunOptions, 'select' | 'statistics'>,
): Observed {
  const chosen = names.select(select);
  return { values: (name) => chosen.has(name), statistics: (name) => statistics || chosen.has(name) };
}

/** Steps done and to do in a move. */
interface StepCount {
  done: number;
  readonly total: number;
}

export const DEFAULT_BUDGET = 256e6;
const OUTPUT = 'result_output';

export class Run {
  readonly model: Model;
  readonly steps: readonly Step[];
  readonly sampled: Sampled[] = [];
  readonly #tokens: number[];
  #promptLength: number;
  readonly #session: Session;
  readonly #names: NameIndex;
  readonly #options: RunOptions;
  readonly #observed: Observed;
  readonly #trace: RunTrace;
  readonly #passes: PassState[] = [];
  /** Index of the first step of the current pass that is not done. */
  #cursor = 0;
  #usedSignals = new WeakSet<AbortSignal>();
  #busy: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(model: Model, tokens: readonly number[], session: Session, options: RunOptions & Origin) {
    this.model = model;
    this.steps = model.steps;
    this.#tokens = [...tokens];
    this.#promptLength = tokens.length;
    this.#session = session;
    this.#options = options;
    this.#names = model.names;
    this.#observed = observedBy(this.#names, options);
    this.#trace = new RunTrace(this, session, this.#names, this.#observed, options);
  }

  /** Token ids so far: the prompt's and the sampled ones. */
  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** The tokens so far as text to show. */
  get pieces(): string[] {
    return this.#tokens.map((token) => this.model.tokenizer.piece(token));
  }

  /** The step that a call of `step()` would run, or null at the end. */
  get next(): Step | null {
    if (this.#passes.length > 0 && this.#cursor < this.steps.length) return this.steps[this.#cursor]!;
    return this.#evaluated < this.#tokens.length ? this.steps[0]! : null;
  }

  /** The pass under way, or the last one; null before the first. */
  get pass(): PassState | null {
    return this.#passes.at(-1) ?? null;
  }

  /** Values kept now, in bytes, and how many tensors' values were let go to stay within the budget. */
  get usage(): { readonly bytes: number; readonly dropped: number } {
    return this.#session.usage();
  }

  get trace(): RunTrace & Trace {
    return this.#trace;
  }

  /** `Run of lily.gguf: 10 tokens, next is l_out-3` */
  toString(): string {
    const { next, model, tokens } = this;
    return `Run of ${model.name}: ${tokens.length} tokens, ${next ? `next is ${next.name}` : 'all run'}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** Runs one step. */
  step(options?: Watch): Promise<Run> {
    const watched = this.#watched(options);
    return this.#exclusive(async () => {
      this.#enterPass('run a step');
      await this.#advance(this.#cursor + 1, watched, { done: 0, total: 1 });
    });
  }

  /** Runs on until layer `i` is done; at once if it is. */
  layer(i: number, options?: Watch): Promise<Run> {
    const end = this.steps.findLastIndex(({ layer }) => layer === i) + 1;
    if (end === 0) {
      const last = this.steps.reduce((max, { layer }) => Math.max(max, layer ?? 0), 0);
      throw new StepError(`Cannot run layer ${i}: the model has layers 0 to ${last}`);
    }
    return this.#moveTo(end, options);
  }

  /** Runs on until the named tensor is there; at once if it is. Names of llama.cpp, TransformerLens and Hugging Face. */
  to(name: string, options?: Watch): Promise<Run> {
    return this.#moveTo(this.#indexOf(name, 'run to') + 1, options);
  }

  /** Runs on until every token has been through the model. */
  toEnd(options?: Watch): Promise<Run> {
    const watched = this.#watched(options);
    return this.#exclusive(() => this.#finish(watched));
  }

  /**
   * Goes back to just after the named tensor, of the current pass unless said otherwise. Nothing is computed again; what
   * the next steps read must still be kept.
   */
  back(name: string, { pass = this.#passes.length - 1 }: { pass?: number } = {}): Promise<Run> {
    return this.#exclusive(async () => {
      const index = this.#indexOf(name, 'go back to');
      const state = this.#passes[pass];
      if (!state || (pass === this.#passes.length - 1 && index >= this.#cursor)) {
        throw new StepError(`Cannot go back to ${name} of pass ${pass}: it was not computed yet; use to("${name}")`, {
          step: name,
        });
      }
      this.#trace.mustNotHaveSent(pass, index + 1);
      this.#rewind(pass, index + 1);
    });
  }

  /** Puts another value in place of a computed tensor and goes back to just after it. */
  replace(name: string, tensor: Tensor | Float32Array | readonly number[]): Promise<Run> {
    return this.#exclusive(async () => {
      const index = this.#indexOf(name, 'replace');
      const step = this.steps[index]!;
      const pass = this.#passes.at(-1);
      const shape = pass && index < this.#cursor ? this.#session.shape(pass.index, step.name) : null;
      if (!pass || !shape) {
        throw new StepError(`Cannot replace ${step.name}: it was not computed yet; run to it first`, {
          step: step.name,
        });
      }
      if (!this.#session.has(pass.index, step.name)) throw this.#notKept(`replace ${step.name}`, step.name);
      const data = tensor instanceof Tensor ? tensor.data : Float32Array.from(tensor);
      const size = sizeOf(shape);
      if (data.length !== size) {
        throw new StepError(
          `Cannot replace ${step.name}: the new value has ${data.length} numbers; its shape is [${shape.join(', ')}], ${size} numbers`,
          { step: step.name },
        );
      }
      this.#trace.mustNotHaveSent(pass.index, index);
      this.#rewind(pass.index, index + 1);
      await this.#session.write(pass, step, data);
    });
  }

  /**
   * Continues the text by up to `n` tokens, or until the context is full. Greedy unless a temperature is given. The last token is drawn but not yet run
   * through the model; the next move does that. Progress counts the tokens drawn, after the steps of a prompt that was not
   * run yet.
   */
  generate(n: number, options: GenerateOptions = {}): Promise<Run> {
    if (!Number.isInteger(n) || n < 0) {
      throw new UsageError(`Cannot generate ${n} tokens: how many must be a whole number, 0 or more`);
    }
    const watched = this.#watched(options);
    return this.#exclusive(async () => {
      const sampler = new Sampler(options, this.sampled.length);
      const { nCtx } = this.model.config;
      if (n > 0 && this.#tokens.length >= nCtx) {
        throw new UsageError(
          `Cannot draw a token: the text fills the model's context of ${nCtx} tokens; start a shorter one`,
        );
      }
      for (let done = 1; done <= n; done++) {
        const isPrompt = this.#tokens.length - this.#evaluated > 1;
        await this.#finish(isPrompt ? watched : { stop: watched.stop });
        const sampled = await this.#sample(sampler);
        options.onToken?.(sampled);
        const isEnd = (options.stopAtEnd ?? true) && this.model.tokenizer.ends.has(sampled.token);
        const isLast = isEnd || this.#tokens.length >= nCtx;
        const total = isLast ? done : n;
        watched.onProgress?.({ task: 'drawing tokens', item: sampled.piece, done, total, unit: 'tokens' });
        if (isLast) break;
      }
    });
  }

  /** Adds tokens to the text; the next move runs them. */
  append(tokens: readonly number[]): Promise<Run> {
    return this.#exclusive(async () => {
      this.model.checkTokens([...this.#tokens, ...tokens]);
      this.#tokens.push(...tokens);
      this.#promptLength = this.#tokens.length;
    });
  }

  /** A computed tensor by any of its names; `pass` is a number, 'last' or 'all'. */
  tensor(name: string, options: { readonly pass: 'all' }): Promise<Tensor[]>;
  tensor(name: string, options?: { readonly pass?: number | 'last' }): Promise<Tensor>;
  async tensor(name: string, options?: { readonly pass?: PassChoice }): Promise<Tensor | Tensor[]> {
    this.#mustBeOpen(`read ${name}`);
    return this.#trace.tensor(name, options as { readonly pass: 'all' });
  }

  /**
   * How the backend computes a step of a pass, the one under way unless said otherwise: which steps at once with it, and
   * the WGSL of every dispatch. A move that ends between two such steps computes them apart.
   */
  kernels(name: string, { pass }: { readonly pass?: number } = {}): Promise<StepKernels> {
    const step = this.steps[this.#indexOf(name, 'tell the kernels of')]!;
    const first = { index: 0, tokens: this.#tokens, nTokens: this.#tokens.length, nPast: 0 };
    const state = this.#passes[pass ?? this.#passes.length - 1] ?? first;
    return this.model.backend.kernels({ name: step.name, pass: state, steps: this.steps, observed: this.#observed });
  }

  /** Gives back what the run keeps on the device, once a move under way has ended; the run is over. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#busy = this.#busy.then(() => this.#session.close());
  }

  #mustBeOpen(action: string): void {
    if (this.#isClosed) throw new StepError(`Cannot ${action}: the run was closed; start another`);
  }

  /** How many tokens have a pass, finished or not. */
  get #evaluated(): number {
    const last = this.#passes.at(-1);
    return last ? last.nPast + last.nTokens : 0;
  }

  #indexOf(name: string, action: string): number {
    const ours = this.#names.resolve(name, action);
    return this.steps.findIndex((step) => step.name === ours);
  }

  #moveTo(end: number, options?: Watch): Promise<Run> {
    const watched = this.#watched(options);
    return this.#exclusive(async () => {
      const count = { done: 0, total: this.#stepsTo(end) };
      this.#enterPass('go on', true);
      // A long prompt takes several passes: only the last of them stops in the middle.
      while (this.#evaluated < this.#tokens.length) {
        await this.#advance(this.steps.length, watched, count);
        this.#enterPass('go on');
      }
      if (end > this.#cursor) await this.#advance(end, watched, count);
    });
  }

  async #finish(watched: Watched): Promise<void> {
    const count = { done: 0, total: this.#stepsTo(this.steps.length) };
    while (this.next) {
      this.#enterPass('go on');
      await this.#advance(this.steps.length, watched, count);
    }
  }

  /** How many steps a move takes that runs every token and stops before step `end` of the last pass. */
  #stepsTo(end: number): number {
    const waiting = this.#tokens.length - this.#evaluated;
    if (waiting === 0) return Math.max(0, end - this.#cursor);
    const under = this.#passes.length > 0 ? this.steps.length - this.#cursor : 0;
    const passes = Math.ceil(waiting / this.model.maxPassTokens(this.#tokens.length));
    return under + (passes - 1) * this.steps.length + end;
  }

  /** Begins the next pass if the current one is done and tokens wait. At the end it throws, unless staying is fine. */
  #enterPass(action: string, mayStay = false): void {
    if (this.#passes.length > 0 && this.#cursor < this.steps.length) return;
    const nPast = this.#evaluated;
    if (nPast >= this.#tokens.length) {
      if (mayStay) return;
      throw new StepError(`Cannot ${action}: every token has been through the model; generate() another, or go back()`);
    }
    const tokens = this.#tokens.slice(nPast, nPast + this.model.maxPassTokens(this.#tokens.length));
    this.#passes.push({ index: this.#passes.length, tokens, nTokens: tokens.length, nPast });
    this.#cursor = 0;
  }

  /** Runs the steps before `to` of the pass under way; `count` goes on over the passes of a move. */
  async #advance(to: number, { stop, onProgress }: Watched, count: StepCount): Promise<void> {
    const pass = this.#passes.at(-1)!;
    const { sink } = this.#options;
    const report = async (done: number) => {
      count.done += done - this.#cursor;
      this.#trace.record(pass, this.#cursor, done);
      this.#cursor = done;
      if (sink) await this.#trace.flush(sink);
      onProgress?.({ task: 'running', item: this.steps[done - 1]!.name, ...count, unit: 'steps' });
    };
    const isWatched = stop !== undefined || onProgress !== undefined || sink !== undefined;
    const request = { pass, steps: this.steps, observed: this.#observed };
    while (this.#cursor < to) {
      const end = this.#nextEdit(this.#cursor, to);
      // What ends here is reported below, once it was edited.
      const onDone = (done: number) => (done < end ? report(done) : undefined);
      const part = { ...request, from: this.#cursor, to: end };
      const done = await this.#session.execute(isWatched ? { ...part, stop, onUpload: onProgress, onDone } : part);
      if (done < end) {
        const { signal } = this.#options;
        if (signal?.aborted) this.#usedSignals.add(signal);
        throw new InterruptedError(
          `Cannot finish ${this.steps[to - 1]!.name}: interrupted before ${this.steps[done]!.name}; the next move goes on from there`,
          { step: this.steps[done]!.name },
        );
      }
      const step = this.steps[end - 1]!;
      if (step.edit) {
        // It may throw: then all before it is done, and the next move computes the step again.
        if (this.#cursor < end - 1) await report(end - 1);
        const output = await this.#session.read(pass.index, step.name);
        await this.#session.write(pass, step, await step.edit(output, pass));
      }
      await report(end);
    }
  }

  /** How far steps from … to-1 can run at once: to the end of the first that is edited, else to `to`. */
  #nextEdit(from: number, to: number): number {
    const edited = this.steps.slice(from, to).findIndex(({ edit }) => edit !== undefined);
    return edited < 0 ? to : from + edited + 1;
  }

  /** Who watches a move that is called now: a move that waits for another stays with those that it was called by. */
  #watched({ signal, onProgress = this.#options.onProgress }: Watch = {}): Watched {
    return watchedBy(this.model.platform, { signal: signal ?? this.#startSignal(), onProgress });
  }

  /** The signal given at the start, until it has fired and been reported. */
  #startSignal(): Stop | undefined {
    const { signal } = this.#options;
    if (!signal) return undefined;
    const isUsed = () => this.#usedSignals.has(signal);
    return {
      get aborted() {
        return signal.aborted && !isUsed();
      },
    };
  }

  #rewind(pass: number, cursor: number): void {
    this.#mustHaveInputs(this.#passes[pass]!, cursor);
    this.#session.rewind(pass, this.steps, cursor);
    this.#trace.rewind(pass, cursor);
    this.#passes.length = pass + 1;
    this.#cursor = cursor;
    const { nPast, nTokens } = this.#passes[pass]!;
    // What was drawn from later logits goes; the prompt stays.
    this.#tokens.length = Math.max(this.#promptLength, nPast + nTokens);
    while ((this.sampled.at(-1)?.position ?? -1) >= this.#tokens.length) this.sampled.pop();
  }

  #mustHaveInputs(pass: PassState, cursor: number): void {
    const before = new Set(this.steps.slice(0, cursor).map(({ name }) => name));
    for (const step of this.steps.slice(cursor)) {
      for (const name of Object.values(step.inputs)) {
        if (!before.has(name) || this.#session.has(pass.index, name)) continue;
        throw this.#notKept(`go back to before ${step.name}, which reads ${name}`, step.name);
      }
    }
  }

  #notKept(action: string, step: string): StepError {
    return new StepError(
      `Cannot ${action}: its values are no longer kept; start the run with select: 'all' and a larger budget, or start again`,
      { step },
    );
  }

  async #sample(sampler: Sampler): Promise<Sampled> {
    const pass = this.#passes.at(-1)!;
    const { data } = await this.#session.read(pass.index, OUTPUT, { start: pass.nTokens - 1, count: 1 });
    if (data.some(isBroken)) throw this.#brokenLogits(data);
    const drawn = sampler.draw(data, this.#tokens);
    const sampled = { ...drawn, piece: this.model.tokenizer.piece(drawn.token), position: this.#tokens.length };
    this.#tokens.push(drawn.token);
    this.sampled.push(sampled);
    return sampled;
  }

  /** Says where NaN or Inf first appeared, as far as statistics were kept. */
  #brokenLogits(logits: Float32Array): StepError {
    const first = this.#trace.entries.find(({ statistics }) => statistics.nanCount + statistics.infCount > 0);
    const count = logits.filter(isBroken).length;
    const where = first
      ? `the first tensor with such is ${first.name} of pass ${first.pass}`
      : 'statistics were not kept';
    return new StepError(
      `Cannot draw a token: ${count} of ${logits.length} logits are NaN or infinite; ${where}. ` +
        `Look at "layerscope trace ${this.model.name}": a broken weight or an overflow shows there`,
      { step: first?.name ?? OUTPUT },
    );
  }

  /** One move at a time: a call that was not awaited ends before the next begins. */
  async #exclusive(move: () => Promise<void>): Promise<Run> {
    this.#mustBeOpen('move the run');
    const moved = this.#busy.then(move);
    this.#busy = moved.catch(() => {});
    await moved;
    return this;
  }
}

/** A logit that no probability comes of. */
function isBroken(logit: number): boolean {
  return Number.isNaN(logit) || logit === Number.POSITIVE_INFINITY;
}
