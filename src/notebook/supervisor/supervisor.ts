/**
 * The supervisor: compiles cells in its own process and has an executor run them in another, so that completion works while a
 * cell runs, and nothing that a cell does, endless loops and crashes included, ends the notebook.
 */
import { fileURLToPath } from 'node:url';
import { NotebookError } from '../../errors.ts';
import type { CellOutput, CellReply, Cells, CellsOptions, ErrorOutput } from '../cells.ts';
import { CellCompiler, type CompiledCell, type Completions, type Inspection } from '../compiler/cell_compiler.ts';
import { type Completeness, completeness } from '../compiler/completeness.ts';
import { type FromExecutor, INTERRUPTED } from '../executor/wire.ts';
import { Executor } from './executor.ts';
import type { StreamName } from './ordered_output.ts';
import { diagnosticsError, errorOf } from './traceback.ts';

export interface SupervisorOptions extends CellsOptions {
  /** TypeScript's `strict`; default false. */
  readonly strict?: boolean;
}

type Sink = (output: CellOutput) => void;

interface RunningCell {
  readonly id: number;
  readonly count: number;
  readonly onOutput: Sink;
  done(error: ErrorOutput | null): void;
}

/** How long after it noticed an interrupt an executor may take to report that the cell has ended. */
const REPORT_MS = 1000;

/** The prelude's count; cells begin at 1. */
const PRELUDE = 0;

/** How many cells, the last ones, may still print from their timers and child processes. */
const REMEMBERED_CELLS = 500;

/** A stream's text is sent after this time, or at this length. */
const COALESCE_MS = 30;
const COALESCE_LENGTH = 1 << 16;

/** The declaration file beside a compiled module of ours. */
const declarations = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export class Supervisor implements Cells {
  readonly #options: SupervisorOptions;
  readonly #compiler: CellCompiler;
  readonly #prelude: CompiledCell;
  readonly #sources = new Map<number, string>();
  /** Where the output of each run of a cell goes, in the order in which they ran. */
  readonly #sinks = new Map<number, Sink>();
  #executor: Executor;
  /** Done when the prelude was run. */
  #isPrepared: Promise<void> | null = null;
  #running: RunningCell | null = null;
  #text: { id: number | null; name: StreamName; text: string } | null = null;
  #textTimer: NodeJS.Timeout | undefined;
  #ids = 0;
  #count = 0;
  #queue: Promise<unknown> = Promise.resolve();
  /** Cells that were given and are not done. */
  #pending = 0;
  /** The first of them is not to begin. */
  #isInterrupted = false;
  #isClosed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    // First the executor, which starts while the compiler loads.
    this.#executor = this.#start();
    this.#compiler = new CellCompiler({
      cwd: options.cwd,
      strict: options.strict ?? false,
      modules: {
        layerscope: declarations('../../node/index.d.ts'),
        'layerscope/notebook': declarations('../prelude.d.ts'),
        tslab: declarations('../tslab.d.ts'),
      },
      prelude: 'layerscope/notebook',
    });
    this.#prelude = this.#compiler.prelude();
    this.#compiler.keep(this.#prelude);
  }

  /** Process id of the executor. */
  get executorPid(): number | undefined {
    return this.#executor.pid;
  }

  /** The count that the next cell gets. */
  get nextCount(): number {
    return this.#count + 1;
  }

  execute(code: string, onOutput: Sink, { counts = true }: { readonly counts?: boolean } = {}): Promise<CellReply> {
    this.#pending++;
    const executed = this.#queue.then(async () => {
      try {
        return await this.#execute(code, onOutput, counts);
      } finally {
        this.#pending--;
        this.#isInterrupted = false;
      }
    });
    this.#queue = executed.catch(() => {});
    return executed;
  }

  complete(code: string, offset: number): Completions {
    return this.#compiler.complete(code, offset);
  }

  inspect(code: string, offset: number): Inspection | null {
    return this.#compiler.inspect(code, offset);
  }

  completeness(code: string): Completeness {
    return completeness(code);
  }

  async interrupt(): Promise<void> {
    const cell = this.#running;
    // A cell that is still to be compiled, or waits for the prelude, will not begin.
    this.#isInterrupted = this.#pending > 0;
    if (!cell || cell.count === PRELUDE) return;
    const how = await this.#executor.interrupt(cell.id);
    if (how !== 'blocked') {
      // What ended a loop may have ended what reports its end, too.
      setTimeout(() => this.#running === cell && cell.done(interruptedError(INTERRUPTED)), REPORT_MS);
      return;
    }
    if (this.#running !== cell) return;
    cell.onOutput({
      type: 'stream',
      name: 'stderr',
      text: 'The cell is inside native code or loads a package, which cannot be interrupted: it stops when that returns. To stop it now, restart the kernel; variables will be gone.\n',
    });
  }

  async restart(): Promise<void> {
    this.#executor.kill();
    this.#endRunning('was restarted');
    this.#renew();
    this.#count = 0;
    this.#sources.clear();
    await this.#prepare();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#executor.kill();
    this.#endRunning('was closed');
    this.#compiler.close();
  }

  #start(): Executor {
    return new Executor(this.#options, {
      text: (id, name, text) => this.#stream(id, name, text),
      message: (message) => this.#take(message),
      died: (how) => this.#died(how),
    });
  }

  /** Another executor, which knows nothing of the cells so far. */
  #renew(): void {
    this.#executor = this.#start();
    this.#forget();
  }

  #forget(): void {
    this.#isPrepared = null;
    this.#compiler.reset();
    this.#compiler.keep(this.#prelude);
  }

  /**
   * Until a cell can run, which no interrupt of an earlier one can strike any more. Rejects with NotebookError where there is
   * no process to run cells in, or it cannot import what all cells see, or the notebook was closed.
   */
  async #prepare(): Promise<void> {
    do {
      if (this.#isClosed) throw new NotebookError('Cannot run the cell: the notebook was closed');
      if (this.#executor.isOver) this.#renew();
      this.#isPrepared ??= this.#runPrelude(this.#executor);
      await this.#isPrepared;
      await this.#executor.settled;
    } while (this.#executor.isOver || !this.#isPrepared);
  }

  async #runPrelude(executor: Executor): Promise<void> {
    await executor.ready;
    const error = await this.#run(this.#prelude, PRELUDE, () => {});
    if (!error) return;
    executor.kill(); // the next cell has another try it again
    throw new NotebookError(`Cannot import what all cells see: ${error.evalue}; run the cell again`);
  }

  async #execute(code: string, onOutput: Sink, counts: boolean): Promise<CellReply> {
    const count = counts ? ++this.#count : this.#count + 1;
    const fail = (error: ErrorOutput): CellReply => {
      onOutput(error);
      return { status: 'error', executionCount: count, error };
    };
    try {
      await this.#prepare();
    } catch (error) {
      return fail(failureOf(error));
    }
    this.#sources.set(count, code);
    const { cell, diagnostics } = this.#compile(code);
    if (!cell) return fail(diagnosticsError(diagnostics, count));
    if (this.#isInterrupted) return fail(interruptedError('the cell was interrupted before it began'));
    // Before it runs: where it fails or is interrupted, what it had declared is there.
    this.#compiler.keep(cell);
    const error = await this.#run(cell, count, onOutput);
    return error ? fail(error) : { status: 'ok', executionCount: count, error: null };
  }

  #compile(code: string): ReturnType<CellCompiler['compile']> {
    try {
      return this.#compiler.compile(code);
    } catch (error) {
      const message = `Cannot compile the cell: TypeScript failed (${error instanceof Error ? error.message : error}); try it in smaller cells`;
      return {
        cell: null,
        diagnostics: [
          { file: null, line: 1, column: 1, length: 1, text: code.split('\n')[0] ?? '', code: null, message },
        ],
      };
    }
  }

  #run(cell: CompiledCell, count: number, onOutput: Sink): Promise<ErrorOutput | null> {
    const id = ++this.#ids;
    this.#sinks.set(id, onOutput);
    if (this.#sinks.size > REMEMBERED_CELLS) this.#sinks.delete(this.#sinks.keys().next().value ?? id);
    const { declarations: _, ...code } = cell;
    return new Promise((resolve) => {
      const done = (error: ErrorOutput | null) => {
        this.#flush();
        this.#running = null;
        resolve(error);
      };
      this.#running = { id, count, onOutput, done };
      this.#executor.run({ ...code, id, count });
    });
  }

  #take(message: FromExecutor): void {
    this.#flush();
    if (message.type === 'output') {
      this.#put(message.id, message.output);
    } else if (message.type === 'done' && this.#running?.id === message.id) {
      const { count, onOutput, done } = this.#running;
      if (message.result) onOutput({ type: 'execute_result', executionCount: count, ...message.result });
      done(message.thrown ? errorOf(message.thrown, this.#sources) : null);
    }
  }

  /** What belongs to no cell, or to one long gone, is shown with the last one. */
  #put(id: number | null, output: CellOutput): void {
    const sink = (id === null ? undefined : this.#sinks.get(id)) ?? [...this.#sinks.values()].at(-1);
    sink?.(output);
  }

  #stream(id: number | null, name: StreamName, text: string): void {
    if (this.#text && (this.#text.id !== id || this.#text.name !== name)) this.#flush();
    this.#text ??= { id, name, text: '' };
    this.#text.text += text;
    if (this.#text.text.length >= COALESCE_LENGTH) this.#flush();
    else this.#textTimer ??= setTimeout(() => this.#flush(), COALESCE_MS);
  }

  #flush(): void {
    clearTimeout(this.#textTimer);
    this.#textTimer = undefined;
    const text = this.#text;
    this.#text = null;
    if (text) this.#put(text.id, { type: 'stream', name: text.name, text: text.text });
  }

  #died(how: string): void {
    this.#flush();
    const cell = this.#running;
    // The next cell starts another: one that dies of itself again and again would keep the machine busy.
    this.#forget();
    const text = `The process that runs the cells ended ${how}. Its variables are gone: run the cells again from the top.`;
    if (cell) cell.done({ type: 'error', ename: 'ExecutorDied', evalue: text, traceback: [text] });
    else this.#put(null, { type: 'stream', name: 'stderr', text: `${text}\n` });
  }

  #endRunning(why: string): void {
    this.#running?.done(interruptedError(`the cell ended because the kernel ${why}`));
  }
}

function failureOf(error: unknown): ErrorOutput {
  const [name, message] = error instanceof Error ? [error.name, error.message] : ['Error', String(error)];
  return { type: 'error', ename: name, evalue: message, traceback: [`${name}: ${message}`] };
}

function interruptedError(text: string): ErrorOutput {
  return { type: 'error', ename: 'Interrupted', evalue: text, traceback: [`Interrupted: ${text}`] };
}
