/** An executor as its supervisor sees it: a child process that runs one cell at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { NotebookError } from '../../errors.ts';
import type { CellsOptions } from '../cells.ts';
import { ASK, END, type FromExecutor, MESSAGES, type RunCell, type ToExecutor, WATCHDOG } from '../executor/wire.ts';
import { OrderedOutput, type StreamName } from './ordered_output.ts';

export interface ExecutorEvents {
  text(id: number | null, name: StreamName, text: string): void;
  message(message: FromExecutor): void;
  /** The process, which could run cells, ended by itself; all it wrote was given out before. */
  died(how: string): void;
}

/** How an interrupt went. */
export type Interruption =
  /** The cell took notice. */
  | 'noticed'
  /** A loop that never looks up was ended from outside. */
  | 'terminated'
  /** Native code runs that nothing can stop. */
  | 'blocked';

/** How long an executor may take to notice an interrupt before its JavaScript is ended. */
const NOTICE_MS = 120;
/** Not every attempt takes: where V8 is inside Node's own callbacks, the end is swallowed. So it is tried again, so often. */
const ATTEMPT_MS = 100;
const ATTEMPTS = 20;
/** How long after its death an executor's output is waited for. */
const LAST_WORDS_MS = 500;

export class Executor {
  readonly #cwd: string;
  readonly #child: ChildProcess;
  readonly #events: ExecutorEvents;
  readonly #output: OrderedOutput;
  #noticed: (() => void) | null = null;
  #interruption: Promise<Interruption> | null = null;
  #state: 'starting' | 'ready' | 'killed' | 'dead' = 'starting';
  /** What it said before it could run cells. */
  #firstWords = '';
  /** Done when it can run cells. Rejects with NotebookError where it ended before. */
  readonly ready: Promise<void>;
  #settle: { isReady(): void; failed(error: NotebookError): void } = { isReady: () => {}, failed: () => {} };

  constructor({ cwd, backend }: CellsOptions, events: ExecutorEvents) {
    this.#cwd = cwd;
    this.#events = events;
    const session = randomBytes(8).toString('hex');
    this.#child = fork(fileURLToPath(new URL('../executor/main.js', import.meta.url)), [session], {
      cwd,
      env: { ...process.env, ...(backend ? { LAYERSCOPE_BACKEND: backend } : {}) },
      execArgv: ['--disable-warning=ExperimentalWarning', ...process.execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe', 'pipe'],
    });
    this.ready = new Promise((isReady, failed) => {
      this.#settle = { isReady, failed };
    });
    this.ready.catch(() => {}); // whoever waits for it is told
    this.#output = new OrderedOutput(session, {
      text: (id, name, text) => {
        if (this.#state === 'starting') this.#firstWords += text;
        else events.text(id, name, text);
      },
      message: (message) => {
        if (message.type === 'ready') this.#isReady();
        else if (message.type === 'interrupted') this.#noticed?.();
        else events.message(message);
      },
    });
    this.#listen();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  run(cell: Omit<RunCell, 'type'>): void {
    this.#send({ type: 'run', ...cell });
  }

  /** It can run no cells any more. */
  get isOver(): boolean {
    return this.#state === 'killed' || this.#state === 'dead';
  }

  /** First asks the run `id` to stop; then ends whatever JavaScript runs. Who asks while that goes on waits for the same. */
  interrupt(id: number): Promise<Interruption> {
    this.#interruption ??= this.#interrupt(id).finally(() => {
      this.#interruption = null;
    });
    return this.#interruption;
  }

  async #interrupt(id: number): Promise<Interruption> {
    const asked = this.#notice(NOTICE_MS);
    const watchdog = this.#child.stdio[WATCHDOG] as Writable;
    watchdog.write(`${ASK}${id}\n`);
    this.#send({ type: 'interrupt', id });
    if (await asked) return 'noticed';
    for (let attempt = 0; attempt < ATTEMPTS && this.#state === 'ready'; attempt++) {
      const ended = this.#notice(ATTEMPT_MS);
      watchdog.write(`${END}${id}\n`);
      if (await ended) return 'terminated';
    }
    return 'blocked';
  }

  kill(): void {
    this.#state = 'killed';
    this.#child.kill('SIGKILL');
    this.#settle.failed(new NotebookError('Cannot run the cell: the notebook was restarted or closed; run it again'));
  }

  #isReady(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'ready';
    if (this.#firstWords !== '') this.#events.text(null, 'stderr', this.#firstWords);
    this.#settle.isReady();
  }

  #ended(how: string): void {
    const was = this.#state;
    this.#state = 'dead';
    if (was === 'ready') this.#events.died(how);
    if (was !== 'starting') return;
    const said = this.#firstWords.trim() === '' ? '' : `, saying\n${this.#firstWords.trim()}\n`;
    this.#settle.failed(
      new NotebookError(
        `Cannot start the process that runs the cells: it ended ${how}${said}; see that node runs in ${this.#cwd}, then run the cell again`,
      ),
    );
  }

  #notice(within: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), within);
      this.#noticed = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  #send(message: ToExecutor): void {
    // Where the process has just died there is nobody to tell; `died` says so.
    this.#child.send(message, () => {});
  }

  #listen(): void {
    const child = this.#child;
    const streams = child.stdio as unknown as readonly (Readable | Writable | null)[];
    const [stdout, stderr, messages] = [streams[1], streams[2], streams[MESSAGES]] as [Readable, Readable, Readable];
    stdout.on('data', (bytes: Buffer) => this.#output.read('stdout', bytes));
    stderr.on('data', (bytes: Buffer) => this.#output.read('stderr', bytes));
    messages.setEncoding('utf8').on('data', (text: string) => this.#output.readMessages(text));
    const ended = [stdout, stderr, messages].map((stream) => new Promise((resolve) => stream.once('close', resolve)));
    for (const stream of streams) stream?.on('error', () => {}); // it died; `exit` tells how
    // Where there is no process there is no `exit`; other errors are of messages to one that has ended.
    child.on('error', (error) => child.pid === undefined && this.#ended(`before it began (${error.message})`));
    child.once('exit', async (code, signal) => {
      // A child process of its own may hold the streams open for ever; what it wrote itself is there at once.
      await Promise.race([Promise.all(ended), new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
      this.#output.end();
      this.#ended(signal ? `by ${signal}` : `with exit code ${code}`);
    });
  }
}
