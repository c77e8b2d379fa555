/** An executor as its supervisor sees it: a child process that runs one cell at a time. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { NotebookError } from '../../errors.ts';
import type { CellsOptions } from '../cells.ts';
import { type FromExecutor, MESSAGES, type RunCell, type ToExecutor, WATCHDOG } from '../executor/wire.ts';
import { OrderedOutput, type StreamName } from './ordered_output.ts';

export interface ExecutorEvents {
  text(id: number | null, name: StreamName, text: string): void;
  message(message: FromExecutor): void;
  /** The process, which could run cells, ended by itself; all it wrote was given out before. */
  died(how: string): void;
}

/** How an interrupt went. */
export type Interruption =
  /** The cell took notice, by itself or when what it looped in was ended. */
  | 'noticed'
  /** Native code runs that nothing can stop. */
  | 'blocked';

/** How long an interrupt may go unnoticed until it is told. */
const BLOCKED_MS = 2000;
/** How long it is waited before an executor is asked again, the first time and at most; each time it is twice as long. */
const [ASK_AGAIN_MS, MOST_ASK_AGAIN_MS] = [50, 1000];
/** How long after its death an executor's output is waited for. */
const LAST_WORDS_MS = 500;

export class Executor {
  readonly #cwd: string;
  readonly #child: ChildProcess;
  readonly #events: ExecutorEvents;
  readonly #output: OrderedOutput;
  /** The interrupt that was not noticed yet. */
  #asking: { readonly id: number; end(): void } | null = null;
  #settled: Promise<void> = Promise.resolve();
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
        else if (message.type === 'interrupted') this.#noticed(message.id);
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

  /** Stops the run `id`: it is asked to, and where it does not look up, what runs is ended. */
  async interrupt(id: number): Promise<Interruption> {
    if (this.#asking?.id !== id) this.#ask(id);
    const blocked = new Promise<Interruption>((resolve) => setTimeout(resolve, BLOCKED_MS, 'blocked').unref());
    return Promise.race([this.#settled.then((): Interruption => 'noticed'), blocked]);
  }

  /** Done when no interrupt is under way: until then, what is to end one run could strike the next. */
  get settled(): Promise<void> {
    return this.#settled;
  }

  kill(): void {
    this.#state = 'killed';
    this.#child.kill('SIGKILL');
    this.#asking?.end();
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
    this.#asking?.end();
    if (was === 'ready') this.#events.died(how);
    if (was !== 'starting') return;
    const said = this.#firstWords.trim() === '' ? '' : `, saying\n${this.#firstWords.trim()}\n`;
    this.#settle.failed(
      new NotebookError(
        `Cannot start the process that runs the cells: it ended ${how}${said}; see that node runs in ${this.#cwd}, then run the cell again`,
      ),
    );
  }

  #noticed(id: number): void {
    if (this.#asking?.id === id) this.#asking.end();
  }

  /** Asks again and again: what ends a loop may end what takes the question, too. */
  #ask(id: number): void {
    this.#settled = new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const ask = (wait: number) => {
        this.#send({ type: 'interrupt', id });
        timer = setTimeout(ask, wait, Math.min(2 * wait, MOST_ASK_AGAIN_MS));
      };
      const end = () => {
        clearTimeout(timer);
        this.#asking = null;
        resolve();
      };
      this.#asking = { id, end };
      (this.#child.stdio[WATCHDOG] as Writable).write(`${id}\n`);
      ask(ASK_AGAIN_MS);
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
