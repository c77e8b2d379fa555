/**
 * The parent's side of the process that holds llama.cpp: started on the first call, gone on close, and where it crashes
 * that one call fails with what it said last. It never keeps an otherwise finished program alive.
 */
import { type ChildProcess, fork } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LayerscopeError } from '../errors.ts';
import type { Calls, OpenOptions, Reply, Request } from './child.ts';

interface Waiting {
  readonly call: string;
  /** How much the log held when the call was made. */
  readonly logged: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Running {
  readonly child: ChildProcess;
  /** The child's stderr, in an unlinked file: whatever it wrote before it replied or died can be read at once. */
  readonly log: number;
  readonly waiting: Map<number, Waiting>;
  exited: boolean;
}

export class OracleProcess {
  readonly #options: OpenOptions;
  #running: Running | undefined;
  #opened: Promise<unknown> | undefined;
  #nextId = 0;

  constructor(options: OpenOptions) {
    this.#options = options;
  }

  /** Calls in the child, which is started where it does not run. */
  async call<K extends keyof Calls>(call: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
    if (!this.#running) {
      this.#running = this.#start();
      this.#opened = this.#ask(this.#running, 'open', [this.#options]);
    }
    const running = this.#running;
    try {
      await this.#opened;
    } catch (error) {
      if (this.#running === running) this.close();
      throw error;
    }
    return (await this.#ask(running, call, args)) as ReturnType<Calls[K]>;
  }

  close(): void {
    this.#running?.child.kill('SIGKILL');
    this.#running = undefined;
  }

  #start(): Running {
    const log = unlinkedFile();
    const child = fork(childFile(), [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', log, 'ipc'],
      // ggml would start a debugger to print a backtrace.
      env: { ...process.env, GGML_NO_BACKTRACE: '1' },
    });
    const running: Running = { child, log, waiting: new Map(), exited: false };
    child.on('message', (reply: Reply) => this.#settle(running, reply));
    child.on('error', (cause) => this.#fail(running, `failed: ${cause.message}`));
    child.on('exit', (code, signal) =>
      this.#fail(running, signal ? `was ended by ${signal}` : `ended with code ${code}`),
    );
    return running;
  }

  #ask(running: Running, call: string, args: readonly unknown[]): Promise<unknown> {
    const request: Request = { id: this.#nextId++, call, args };
    return new Promise((resolve, reject) => {
      if (running.exited) throw new LayerscopeError(`Cannot ${call}: the process of llama.cpp is closed; call again`);
      running.waiting.set(request.id, { call, logged: fstatSync(running.log).size, resolve, reject });
      keepAlive(running);
      running.child.send(request);
    });
  }

  #settle(running: Running, reply: Reply): void {
    const waiting = running.waiting.get(reply.id);
    running.waiting.delete(reply.id);
    keepAlive(running);
    if (!waiting) return;
    if ('value' in reply) waiting.resolve(reply.value);
    else {
      const place = reply.file === undefined ? {} : { file: reply.file };
      waiting.reject(new LayerscopeError(reply.error + said(running.log, waiting.logged), place));
    }
  }

  #fail(running: Running, what: string): void {
    if (running.exited) return;
    running.exited = true;
    if (this.#running === running) this.#running = undefined;
    const file = this.#options.session?.file;
    for (const { call, logged, reject } of running.waiting.values()) {
      const message =
        `Cannot finish ${call}${file ? ` on ${file}` : ''}: the process of llama.cpp ${what}${said(running.log, logged)}; ` +
        'llama.cpp stops itself on input that it does not accept, so check that; the next call starts a new process';
      reject(new LayerscopeError(message, file ? { file } : {}));
    }
    running.waiting.clear();
    closeSync(running.log);
  }
}

/** Only a call that is under way holds the program open. */
function keepAlive({ child, waiting }: Running): void {
  const channel = child.channel as { ref?(): void; unref?(): void } | null | undefined;
  if (waiting.size > 0) {
    child.ref();
    channel?.ref?.();
  } else {
    child.unref();
    channel?.unref?.();
  }
}

/**
 * The child's compiled entry: this folder's `child.js`, or the one in `dist` when this runs from TypeScript (vitest), for
 * Node 20 runs no TypeScript. A build older than the source is refused: it would test yesterday's code.
 */
function childFile(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  if (!import.meta.url.endsWith('.ts')) return join(here, 'child.js');
  const built = join(here, '..', '..', 'dist', 'oracle', 'child.js');
  const newest = Math.max(...readdirSync(here).map((name) => statSync(join(here, name)).mtimeMs));
  if (existsSync(built) && statSync(built).mtimeMs >= newest) return built;
  throw new LayerscopeError(
    `Cannot start llama.cpp from TypeScript: ${built} is missing or older than src/oracle; run "npm run build"`,
    { file: built },
  );
}

function unlinkedFile(): number {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-'));
  const log = openSync(join(folder, 'log'), 'w+');
  rmSync(folder, { recursive: true, force: true });
  return log;
}

const LOG_BYTES = 16_384;
const TELLING = /error|fail|invalid|assert|abort|missing|not supported|unable|unknown/i;

/** What llama.cpp complained of since the log held `from` bytes, for the end of a message; empty where it did not. */
function said(log: number, from: number): string {
  const { size } = fstatSync(log);
  const start = Math.max(from, size - LOG_BYTES);
  const bytes = Buffer.alloc(size - start);
  readSync(log, bytes, 0, bytes.length, start);
  const lines = bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => TELLING.test(line));
  return lines.length > 0 ? `; it said "${lines.slice(-2).join(' / ').trim()}"` : '';
}
