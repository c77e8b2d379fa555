/**
 * One kernel of the lab as the server sees it: its process, the pages that talk to it, and what Jupyter says of its state.
 * A process that dies is started again, and each page is told; what it had asked and was not answered is answered.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { KERNEL_NAME } from '../../notebook/kernelspec.ts';
import { type Message, Messages, type Request } from '../../notebook/protocol/message.ts';
import { Backlog } from './backlog.ts';
import type { PageRequest } from './channel_messages.ts';
import { onEnd } from './child_end.ts';
import type { FromKernel, ToKernel } from './kernel_wire.ts';
import { Refusal } from './refusal.ts';

/** From src/lab/server as from dist/lab/server: the compiled one, beside which the cells' declarations are. */
const PROGRAM = fileURLToPath(new URL('../../../dist/lab/server/kernel_child.js', import.meta.url));

/** As Jupyter calls them. */
export type KernelState = 'starting' | 'idle' | 'busy' | 'restarting' | 'dead';

/** A kernel as the API tells of it. */
export interface KernelModel {
  readonly id: string;
  readonly name: string;
  readonly execution_state: KernelState;
  /** ISO 8601. */
  readonly last_activity: string;
  /** Pages that are connected. */
  readonly connections: number;
}

/** A page that listens. */
export interface Listener {
  send(message: Message): void;
  /** Another connection has taken its place, or the kernel is gone. */
  end(why: string): void;
}

interface Client {
  /** Null while the page is away: then `backlog` keeps what it is to hear. */
  listener: Listener | null;
  backlog: Backlog;
}

/** Deaths in a row, with no cell answered between them, after which it is left dead. */
const MAX_DEATHS = 3;
/** Pages that went away and may come back; beyond it the first one's messages go. */
const MAX_AWAY = 4;
/** Characters of outputs kept for a page that is away. */
const BACKLOG = 32e6;
/** How long a kernel that is asked to end may take. */
const END_MS = 3000;

export class LabKernel {
  readonly id = randomUUID();
  readonly #cwd: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #clients = new Map<string, Client>();
  /** Requests without their end, by message id. */
  readonly #pending = new Map<string, Request>();
  readonly #messages = new Messages((message) => this.#deliver(message));
  #process: ChildProcess;
  #state: KernelState = 'starting';
  #lastActivity = new Date();
  #deaths = 0;
  /** The end of the process is wanted. */
  #isEnding = false;

  constructor(cwd: string, env: NodeJS.ProcessEnv = process.env) {
    this.#cwd = cwd;
    this.#env = env;
    this.#process = this.#start();
  }

  get model(): KernelModel {
    const connections = [...this.#clients.values()].filter(({ listener }) => listener).length;
    const { id } = this;
    return {
      ...{ id, name: KERNEL_NAME, connections },
      ...{ execution_state: this.#state, last_activity: this.#lastActivity.toISOString() },
    };
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** From now on `listener` hears the kernel; first what was said while the page, known by its session, was away. */
  connect(session: string, listener: Listener): void {
    const known = this.#clients.get(session);
    known?.listener?.end('this page has opened another connection');
    this.#clients.set(session, { listener, backlog: new Backlog(BACKLOG) });
    if (!known?.listener) for (const message of known?.backlog.messages() ?? []) listener.send(message);
  }

  /** The page is away: what it would hear is kept for it. */
  disconnect(session: string, listener: Listener): void {
    const client = this.#clients.get(session);
    if (client?.listener !== listener) return;
    client.listener = null;
    // The last one to go is the last one to be forgotten.
    this.#clients.delete(session);
    this.#clients.set(session, client);
    const away = [...this.#clients].filter(([, { listener }]) => !listener).map(([name]) => name);
    for (const name of away.slice(0, -MAX_AWAY)) this.#clients.delete(name);
  }

  /** Takes a request of the page that `session` names. */
  handle(session: string, asked: NonNullable<PageRequest>): void {
    const request: Request = { ...asked, identities: [Buffer.from(session)] };
    if (this.#state === 'dead') {
      this.#answerLost(request, 'it is dead; restart it');
      return;
    }
    this.#pending.set(request.header.msg_id, request);
    this.#tell({ type: 'request', request });
  }

  /** Stops the running cell. Throws Refusal where the kernel is dead. */
  interrupt(): void {
    if (this.#state === 'dead') throw this.#dead('interrupt');
    this.#tell({ type: 'interrupt' });
  }

  /** A fresh process; what was running is over. */
  async restart(): Promise<void> {
    await this.#end();
    this.#answerAllLost('it was restarted');
    this.#deaths = 0;
    this.#isEnding = false;
    this.#state = 'restarting';
    this.#process = this.#start();
  }

  /** Ends the process and tells the pages. */
  async shutdown(): Promise<void> {
    await this.#end();
    this.#answerAllLost('it was shut down');
    this.#state = 'dead';
    this.#messages.publish('status', { execution_state: 'dead' });
    for (const { listener } of this.#clients.values()) listener?.end('the kernel was shut down');
    this.#clients.clear();
  }

  #start(): ChildProcess {
    const child = fork(PROGRAM, [], {
      cwd: this.#cwd,
      env: this.#env,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: FromKernel) => this.#process === child && this.#take(message));
    onEnd(child, (how) => this.#died(child, `it ${how}`));
    return child;
  }

  #tell(message: ToKernel): void {
    // Where the process has just died there is nobody to tell; its death answers what waits.
    this.#process.send(message, () => {});
  }

  #take(message: FromKernel): void {
    switch (message.type) {
      case 'message':
        this.#forward(message.message);
        return;
      case 'ending':
        this.#isEnding = true;
        return;
      default:
        message satisfies never;
    }
  }

  #forward(message: Message): void {
    const { header, parent, channel, content } = message;
    this.#lastActivity = new Date();
    if (channel === 'iopub' && header.msg_type === 'status') {
      this.#state = content.execution_state as KernelState;
      if (content.execution_state === 'idle') {
        this.#deaths = 0;
        this.#pending.delete(parent.msg_id ?? '');
      }
    }
    this.#deliver(message);
  }

  /** To all pages what is for all, a reply to who asked. */
  #deliver(message: Message): void {
    const [identity] = message.identities;
    for (const [session, client] of this.#clients) {
      if (message.channel !== 'iopub' && identity && Buffer.from(identity).toString() !== session) continue;
      if (client.listener) client.listener.send(message);
      else client.backlog.push(message);
    }
  }

  #died(child: ChildProcess, how: string): void {
    if (this.#process !== child) return;
    if (this.#isEnding) {
      this.#state = 'dead';
      return;
    }
    this.#deaths++;
    const isLeft = this.#deaths >= MAX_DEATHS;
    this.#answerAllLost(
      isLeft ? `${how}, ${this.#deaths} times in a row` : `${how}; it starts again, without its variables`,
    );
    this.#state = isLeft ? 'dead' : 'restarting';
    this.#messages.publish('status', { execution_state: this.#state });
    if (!isLeft) this.#process = this.#start();
  }

  /** Cells that wait for a process that is gone would wait for ever. */
  #answerAllLost(why: string): void {
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of lost) this.#answerLost(request, why);
  }

  #answerLost({ channel, identities, header }: Request, why: string): void {
    const text = `Cannot finish: the kernel is gone, because ${why}. Run the cells again from the top.`;
    const error = { ename: 'KernelDied', evalue: text, traceback: [text] };
    if (header.msg_type === 'execute_request') this.#messages.publish('error', error, header);
    const type = header.msg_type.replace(/_request$/, '_reply');
    this.#messages.send(channel, identities, type, { status: 'error', execution_count: null, ...error }, header);
    this.#messages.publish('status', { execution_state: 'idle' }, header);
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    this.#tell({ type: 'end' });
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
    await exited;
    clearTimeout(timer);
  }

  #dead(verb: string): Refusal {
    return new Refusal(409, 'kernel', `Cannot ${verb} the kernel: it is dead; restart it`);
  }
}
