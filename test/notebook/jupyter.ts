/**
 * A kernel as Jupyter's own client drives it: jupyter.py starts it from a kernelspec, and this is the other end of its
 * JSON lines. Nothing here waits for a fixed time; what does not come within PATIENCE is an error that says what came.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findJupyterPython } from '../../src/node/host.ts';
import { KERNEL_NAME, KERNEL_PROGRAM, kernelspec } from '../../src/notebook/kernelspec.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where the project is: kernels start here, so that cells name fixtures/ and find node_modules. */
export const ROOT = at('../..');

export const jupyterPython = findJupyterPython();

if (!existsSync(KERNEL_PROGRAM)) {
  throw new Error(`Cannot test the kernel: ${KERNEL_PROGRAM} is missing; run "npm run build"`);
}

/** Milliseconds to wait for anything; a test has 60 s. */
const PATIENCE = 50_000;

export type Channel = 'shell' | 'control' | 'iopub' | 'stdin';
export type Content = Readonly<Record<string, unknown>>;

export interface Message {
  readonly channel: Channel;
  readonly header: { readonly msg_id: string; readonly msg_type: string; readonly session: string };
  readonly parent_header: { readonly msg_id?: string; readonly msg_type?: string };
  readonly metadata: Content;
  readonly content: Content;
}

/** What a cell gave, after its kernel was idle again. */
export interface Executed {
  /** The content of execute_reply. */
  readonly reply: Content;
  /** Everything on iopub for this cell, in order, from busy to idle. */
  readonly messages: readonly Message[];
  /** Those of them that a notebook shows. */
  readonly outputs: readonly Message[];
  readonly stdout: string;
  readonly stderr: string;
  /** The value of the last expression, by MIME type. */
  readonly result: Content | undefined;
  /** The traceback of the error without its colours; empty where there was none. */
  readonly traceback: string;
}

const SHOWN = new Set([
  'stream',
  'display_data',
  'update_display_data',
  'clear_output',
  'execute_result',
  'error',
  'comm_open',
]);

const ANSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');

export const isStatus =
  (state: string) =>
  ({ header, content }: Message): boolean =>
    header.msg_type === 'status' && content.execution_state === state;

export const isOutput = ({ header }: Message): boolean => SHOWN.has(header.msg_type);

/** Whether a message is the stream output that holds `text`. */
export const prints =
  (text: string) =>
  ({ header, content }: Message): boolean =>
    header.msg_type === 'stream' && String(content.text).includes(text);

/** The text of all streams of a name, joined. */
export function streamed(messages: readonly Message[], name: 'stdout' | 'stderr'): string {
  const texts = messages.filter(({ header, content }) => header.msg_type === 'stream' && content.name === name);
  return texts.map(({ content }) => content.text).join('');
}

/** What was told of a request, oldest first; `until` waits for what is not there yet. */
export class Exchange {
  /** Its messages on iopub. */
  readonly messages: Message[] = [];
  /** Its reply; undefined until it came. */
  reply: Message | undefined;
  readonly #what: string;
  readonly #log: () => string;
  readonly #waiting = new Set<() => void>();
  /** Why nothing more will come; undefined while it may. */
  #over: string | undefined;

  constructor(what: string, log: () => string) {
    this.#what = what;
    this.#log = log;
  }

  take(message: Message): void {
    if (message.channel === 'iopub') this.messages.push(message);
    else this.reply = message;
    for (const check of [...this.#waiting]) check();
  }

  /** Nothing more will come: who still waits is told so. */
  end(why: string): void {
    this.#over = why;
    for (const check of [...this.#waiting]) check();
  }

  /** The first message on iopub of which `isWanted` is true. */
  until(isWanted: (message: Message) => boolean, patience = PATIENCE): Promise<Message> {
    return this.#wait('the awaited message', () => this.messages.find(isWanted), patience);
  }

  /** The reply, which may come before the last of its messages on iopub. */
  replied(patience = PATIENCE): Promise<Message> {
    return this.#wait('a reply', () => this.reply, patience);
  }

  /** The reply, and all that came between busy and idle. */
  async done(patience = PATIENCE): Promise<Executed> {
    const reply = await this.replied(patience);
    await this.#wait('the status idle', () => this.messages.find(isStatus('idle')), patience);
    return executed(reply, this.messages);
  }

  #wait<T>(what: string, find: () => T | undefined, patience: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
      };
      const fail = (why: string): void => {
        stop();
        reject(
          new Error(`Cannot get ${what} to ${this.#what}: ${why}; on iopub came:\n${this.#came()}\n${this.#log()}`),
        );
      };
      const timer = setTimeout(() => fail(`none came in ${patience / 1000} s`), patience);
      const check = (): void => {
        const found = find();
        if (found === undefined) {
          if (this.#over !== undefined) fail(this.#over);
          return;
        }
        stop();
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  #came(): string {
    return this.messages.map(({ header, content }) => `${header.msg_type} ${brief(content)}`).join('\n');
  }
}

const brief = (content: unknown): string => JSON.stringify(content).slice(0, 300);

function executed({ content }: Message, messages: readonly Message[]): Executed {
  const ofType = (type: string): Message | undefined => messages.find(({ header }) => header.msg_type === type);
  const traceback = ofType('error')?.content.traceback;
  return {
    reply: content,
    messages: [...messages],
    outputs: messages.filter(isOutput),
    stdout: streamed(messages, 'stdout'),
    stderr: streamed(messages, 'stderr'),
    result: ofType('execute_result')?.content.data as Content | undefined,
    traceback: Array.isArray(traceback) ? traceback.join('\n').replace(ANSI, '') : '',
  };
}

export interface StartOptions {
  /** Where cells run. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Writes our kernelspec and gives the folder of kernelspecs. */
function writeKernelspec(folder: string): string {
  mkdirSync(join(folder, KERNEL_NAME), { recursive: true });
  writeFileSync(join(folder, KERNEL_NAME, 'kernel.json'), JSON.stringify(kernelspec()));
  return folder;
}

/** A started kernel and the Python process that drives it. */
export class Kernel {
  /** The kernel's process id. */
  pid = 0;
  /** Its exit code, once it ended; negative for a signal. */
  ended = new Promise<number>(() => {});
  /** The Python process: the kernel's parent. */
  readonly client: ChildProcess;
  /** Every message of the kernel, in the order in which the client took them from its sockets. */
  readonly messages: Message[] = [];
  /** What the client refused: a wrong signature or no JSON. */
  readonly broken: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'layerscope-kernel-'));
  readonly #exchanges = new Map<string, Exchange>();
  readonly #answers = new Map<number, PromiseWithResolver>();
  readonly #clientEnded: Promise<void>;
  #key = '';
  #lastLog = '';
  #commands = 0;

  constructor(python: string, env: NodeJS.ProcessEnv) {
    this.client = spawn(python, [at('jupyter.py')], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.client.stdin?.on('error', () => {}); // a client killed on purpose; who waits for it is told below
    this.#clientEnded = new Promise((resolve) => this.client.on('close', () => resolve()));
    void this.#clientEnded.then(() => this.#refuseAll());
    createInterface({ input: this.client.stdout as NodeJS.ReadableStream }).on('line', (line) => this.#take(line));
  }

  /** Resolves when the kernel answers and its iopub is heard. */
  async start({ cwd = ROOT }: StartOptions): Promise<void> {
    const log = join(this.#folder, 'kernel.log');
    const { pid, key } = await this.#command<{ pid: number; key: string }>('start', {
      kernels: writeKernelspec(this.#folder),
      name: KERNEL_NAME,
      cwd,
      log,
    });
    this.#key = key;
    this.#watch(pid);
    await this.#becomeReady();
  }

  /** From here on `ended` is this process's; with it, what is asked of it ends. */
  #watch(pid: number): void {
    this.pid = pid;
    this.ended = this.#command<number>('ended', {});
    const end = (why: string): void => {
      for (const exchange of this.#exchanges.values()) exchange.end(why);
    };
    this.ended.then(
      (code) => end(`the kernel ended with code ${code}`),
      (error: Error) => end(error.message),
    );
  }

  /** A subscription to iopub takes a moment, during which messages are lost: asks until an answer is heard there too. */
  async #becomeReady(): Promise<void> {
    for (let attempt = 0; attempt < 10; attempt++) {
      const asked = await this.send('kernel_info_request', {});
      await asked.replied();
      const idle = await asked.until(isStatus('idle'), 1000).catch(() => undefined);
      if (idle) return;
    }
    throw new Error(`Cannot hear the kernel: it answers, and nothing comes on iopub\n${this.log()}`);
  }

  /** What the kernel itself printed, rather than as messages. */
  log(): string {
    const path = join(this.#folder, 'kernel.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : this.#lastLog;
  }

  /** Sends a request; does not wait for what comes of it. */
  async send(type: string, content: Content, channel: Channel = 'shell', metadata: Content = {}): Promise<Exchange> {
    const id = randomUUID();
    const exchange = new Exchange(`${type} ${brief(content)}`, () => this.log());
    this.#exchanges.set(id, exchange);
    await this.#command('send', { channel, type, msg_id: id, content, metadata });
    return exchange;
  }

  /** Sends a request, and gives the content of its reply. */
  async request(type: string, content: Content, channel: Channel = 'shell'): Promise<Content> {
    return (await (await this.send(type, content, channel)).done()).reply;
  }

  /** Starts a cell. */
  begin(code: string, options: Content = {}): Promise<Exchange> {
    return this.send('execute_request', {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
      ...options,
    });
  }

  /** Runs a cell to its end. */
  async execute(code: string, options: Content = {}, patience = PATIENCE): Promise<Executed> {
    return (await this.begin(code, options)).done(patience);
  }

  /** Sends frames that no client would send. `parts` are header, parent, metadata and content, signed rightly. */
  async sendSigned(parts: readonly string[], channel: Channel = 'shell'): Promise<void> {
    const signature = createHmac('sha256', this.#key).update(parts.join('')).digest('hex');
    await this.sendFrames(['<IDS|MSG>', signature, ...parts], channel);
  }

  async sendFrames(frames: readonly string[], channel: Channel = 'shell'): Promise<void> {
    await this.#command('frames', { channel, frames });
  }

  /** What the heartbeat channel answers. */
  heartbeat(text: string): Promise<string> {
    return this.#command('heartbeat', { text });
  }

  /** As a front end's stop button does. */
  async interrupt(): Promise<void> {
    await this.#command('interrupt', {});
  }

  /** A signal to the kernel's process group. */
  async signal(number: number): Promise<void> {
    await this.#command('signal', { number });
  }

  /** As a front end's restart button does: a new process at the same addresses. `now` gives the old one no time. */
  async restart({ now = false } = {}): Promise<void> {
    this.#watch((await this.#command<{ pid: number }>('restart', { now })).pid);
    await this.#becomeReady();
  }

  /** Ends the kernel and its client, whatever state they are in. */
  async close(): Promise<void> {
    this.client.stdin?.end();
    const timer = setTimeout(() => this.client.kill('SIGKILL'), PATIENCE);
    await this.#clientEnded;
    clearTimeout(timer);
    if (this.client.signalCode !== null) this.#killKernel();
    this.#lastLog = this.log();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Where the client was killed before it could: the kernel ought to have ended by itself. */
  #killKernel(): void {
    try {
      process.kill(this.pid, 'SIGKILL');
    } catch {
      // it has ended
    }
  }

  #command<T>(name: string, parameters: Content): Promise<T> {
    const id = ++this.#commands;
    return new Promise<T>((resolve, reject) => {
      this.#answers.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.client.stdin?.write(`${JSON.stringify({ id, do: name, ...parameters })}\n`);
    });
  }

  #take(line: string): void {
    const told = JSON.parse(line) as Answer | { channel: Channel; message: Message } | { broken: string };
    if ('broken' in told) {
      this.broken.push(told.broken);
    } else if ('message' in told) {
      const message = { ...told.message, channel: told.channel };
      this.messages.push(message);
      this.#exchanges.get(message.parent_header.msg_id ?? '')?.take(message);
    } else {
      const answer = this.#answers.get(told.id);
      this.#answers.delete(told.id);
      if (told.error === undefined) answer?.resolve(told.value);
      else answer?.reject(new Error(`Cannot drive the kernel: ${told.error}\n${this.log()}`));
    }
  }

  #refuseAll(): void {
    for (const { reject } of this.#answers.values())
      reject(new Error("Cannot drive the kernel: Jupyter's client ended"));
    this.#answers.clear();
  }
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface PromiseWithResolver {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts a kernel; `python` is one that has Jupyter's modules. Its `close` ends it. */
export async function startKernel(python: string, options: StartOptions = {}): Promise<Kernel> {
  const kernel = new Kernel(python, { ...process.env, ...options.env });
  try {
    await kernel.start(options);
    return kernel;
  } catch (error) {
    await kernel.close();
    throw error;
  }
}
