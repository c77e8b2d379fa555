/**
 * The parent's side of the process that holds llama.cpp: started on the first call, gone on close, and where it crashes
 * that one call fails with what it said last. It never keeps an otherwise finished program alive.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, existsSync, fstatSync, readdirSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Watched } from '../engine/watched.ts';
import { InterruptedError, LayerscopeError } from '../errors.ts';
import type { Calls, OpenOptions, Reply, Request } from './child.ts';
import { namelessFile } from './spool.ts';

interface Waiting {
  readonly call: string;
  /** How much the log held when the call was made. */
  readonly logged: number;
  readonly onProgress: Watched['onProgress'];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Running {
  readonly child: ChildProcess;
  /** The child's stderr, in an unlinked file: whatever it wrote before it replied or died can be read at once. */
  readonly log: number;
  readonly waiting: Map<number, Waiting>;
  /** It was ended because somebody stopped a call. */
  interrupted: boolean;
  exited: boolean;
}

interface Opened {
  readonly running: Running;
  /** Rejects where llama.cpp could not be loaded. */
  readonly opened: Promise<unknown>;
}

/** How often a call is asked whether it is to stop: the process computes and hears nothing, so it is ended. */
const ASKED_EVERY_MS = 20;

export class OracleProcess {
  readonly #options: OpenOptions;
  #opened: Opened | undefined;
  #nextId = 0;

  constructor(options: OpenOptions) {
    this.#options = options;
  }

  /** Calls in the child, which is started where it does not run. */
  call<K extends keyof Calls>(call: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
    return this.watched({}, call, ...args);
  }

  /** Calls, and ends the process with InterruptedError where the call is to stop. */
  async watched<K extends keyof Calls>(
    { stop, onProgress }: Watched,
    call: K,
    ...args: Parameters<Calls[K]>
  ): Promise<ReturnType<Calls[K]>> {
    const { running, opened } = this.#open();
    const interrupt = () => {
      if (!stop?.aborted) return;
      running.interrupted = true;
      this.#end(running);
    };
    const asking = stop && setInterval(interrupt, ASKED_EVERY_MS);
    try {
      await opened;
      const answered = this.#ask(running, call, args, onProgress);
      interrupt();
      return (await answered) as ReturnType<Calls[K]>;
    } finally {
      clearInterval(asking);
    }
  }

  close(): void {
    if (this.#opened) this.#end(this.#opened.running);
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const running = this.#start();
    const opened = this.#ask(running, 'open', [this.#options]).catch((error) => {
      this.#end(running);
      throw error;
    });
    this.#opened = { running, opened };
    return this.#opened;
  }

  #end(running: Running): void {
    running.child.kill('SIGKILL');
    if (this.#opened?.running === running) this.#opened = undefined;
  }

  #start(): Running {
    const log = namelessFile();
    const child = fork(childFile(), [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', log, 'ipc'],
      // ggml would start a debugger to print a backtrace.
      env: { ...process.env, GGML_NO_BACKTRACE: '1' },
    });
    const running: Running = { child, log, waiting: new Map(), interrupted: false, exited: false };
    child.on('message', (reply: Reply) => this.#settle(running, reply));
    child.on('error', (cause) => this.#fail(running, `failed: ${cause.message}`));
    child.on('exit', (code, signal) =>
      this.#fail(running, signal ? `was ended by ${signal}` : `ended with code ${code}`),
    );
    return running;
  }

  #ask(running: Running, call: string, args: readonly unknown[], onProgress?: Watched['onProgress']): Promise<unknown> {
    const request: Request = { id: this.#nextId++, call, args };
    return new Promise((resolve, reject) => {
      if (running.exited) throw new LayerscopeError(`Cannot ${call}: the process of llama.cpp is closed; call again`);
      running.waiting.set(request.id, { call, logged: fstatSync(running.log).size, onProgress, resolve, reject });
      keepAlive(running);
      running.child.send(request);
    });
  }

  #settle(running: Running, reply: Reply): void {
    const waiting = running.waiting.get(reply.id);
    if ('progress' in reply) {
      try {
        waiting?.onProgress?.(reply.progress);
      } catch (error) {
        waiting?.reject(error as Error);
      }
      return;
    }
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
    this.#end(running);
    const file = this.#options.session?.file;
    for (const { call, logged, reject } of running.waiting.values()) {
      const place = file ? { file } : {};
      const begin = call === 'open' ? 'Cannot load llama.cpp:' : `Cannot finish ${call}${file ? ` on ${file}` : ''}:`;
      if (running.interrupted) {
        reject(new InterruptedError(`${begin} interrupted; call again to have it`, place));
        continue;
      }
      const cure =
        call === 'open'
          ? 'koffi and its libraries must load, so install the packages again: npm ci'
          : 'llama.cpp stops itself on input that it does not accept, so check that; the next call starts a new process';
      reject(
        new LayerscopeError(`${begin} the process of llama.cpp ${what}${said(running.log, logged)}; ${cure}`, place),
      );
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
    .filter((line) => TELLING.test(line) && !line.startsWith('print_info:'));
  return lines.length > 0 ? `; it said "${lines.slice(-2).join(' / ').trim()}"` : '';
}
