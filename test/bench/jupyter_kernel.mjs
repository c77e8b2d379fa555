/** A Jupyter kernel as its front end has it, for test/bench/notebook.mjs: a process, and the other ends of two of its sockets. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Dealer } from 'zeromq';
import { framesOf, newHeader } from '../../dist/notebook/protocol/message.js';

/** @typedef {{ content: Record<string, unknown>, came: number }} Reply `came` is on the clock of performance.now() */

/** @typedef {{ reply: Record<string, unknown>, came: number, ms: number }} Answer a reply's content; `ms` after its question */

/** @typedef {{ channel: 'shell' | 'control', type: string, content: Record<string, unknown> }} Question */

/** A client that finds nobody asks again after so many milliseconds; ZeroMQ's own 100 would be most of a short start. */
const RECONNECT_MS = 5;
/** Before each request, as a front end takes one. Without it, stock tslab left one in some hundreds unanswered. */
const PAUSE_MS = 10;
/** What takes longer does not come. */
const PATIENCE_MS = 30_000;
const IP = '127.0.0.1';

export class JupyterKernel {
  #key = randomUUID();
  #session = randomUUID();
  #folder = mkdtempSync(join(tmpdir(), 'layerscope-bench-'));
  #sockets = {
    shell: new Dealer({ reconnectInterval: RECONNECT_MS, linger: 0 }),
    control: new Dealer({ reconnectInterval: RECONNECT_MS, linger: 0 }),
  };
  /** Who waits for a reply, by the request's id. */
  #asked = /** @type {Map<string, { resolve(reply: Reply): void, reject(error: Error): void }>} */ (new Map());
  #child;
  /** When the process was started, on the clock of performance.now(). */
  started;

  /** @param {readonly string[]} argv as kernel.json has it @param {string} cwd @param {readonly number[]} ports five free ones */
  constructor(argv, cwd, ports) {
    const [shell_port, control_port, iopub_port, stdin_port, hb_port] = ports;
    const file = join(this.#folder, 'connection.json');
    const addresses = { ip: IP, transport: 'tcp', shell_port, control_port, iopub_port, stdin_port, hb_port };
    writeFileSync(file, JSON.stringify({ ...addresses, signature_scheme: 'hmac-sha256', key: this.#key }));
    const [program = '', ...args] = argv.map((word) => word.replace('{connection_file}', file));
    this.started = performance.now();
    this.#child = spawn(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
    this.#child.once('exit', (code, signal) => {
      for (const { reject } of this.#asked.values()) reject(new Error(`the kernel ended: ${code ?? signal}`));
    });
    this.#sockets.shell.connect(`tcp://${IP}:${shell_port}`);
    this.#sockets.control.connect(`tcp://${IP}:${control_port}`);
    for (const socket of Object.values(this.#sockets)) void this.#listen(socket);
  }

  /**
   * Asks, and waits for the reply.
   * @param {Question} question
   * @returns {Promise<Answer>}
   */
  async ask({ channel, type, content }) {
    const header = newHeader(type, this.#session);
    const message = { channel, identities: [], header, parent: {}, metadata: {}, content };
    const answered = this.#answered(header.msg_id, type);
    await setTimeout(PAUSE_MS);
    const sent = performance.now();
    await this.#sockets[channel].send(/** @type {Buffer[]} */ (framesOf(message, this.#key)));
    const { content: reply, came } = await answered;
    return { reply, came, ms: came - sent };
  }

  /**
   * Runs a cell.
   * @param {string} code
   * @returns {Promise<Answer>}
   */
  async execute(code) {
    const content = { code, silent: false, store_history: true };
    return this.ask({ channel: 'shell', type: 'execute_request', content });
  }

  /** Bytes of memory (VmRSS) of the kernel's processes together; pages that they share count for each. */
  residentBytes() {
    const parents = new Map(
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => [Number(pid), field(Number(pid), 'PPid')]),
    );
    const isOurs = (/** @type {number | undefined} */ pid) => {
      for (let at = pid; at; at = parents.get(at)) if (at === this.#child.pid) return true;
      return false;
    };
    const pids = [...parents.keys()].filter(isOurs);
    return pids.reduce((bytes, pid) => bytes + 1024 * field(pid, 'VmRSS'), 0);
  }

  /** Ends the process, and its children with it. */
  async close() {
    this.#child.removeAllListeners('exit');
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    for (const socket of Object.values(this.#sockets)) socket.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** @param {string} id @param {string} type of the request @returns {Promise<Reply>} */
  #answered(id, type) {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`the kernel did not answer ${type} in ${PATIENCE_MS} ms`));
      const timer = globalThis.setTimeout(late, PATIENCE_MS);
      this.#asked.set(id, {
        resolve(reply) {
          clearTimeout(timer);
          resolve(reply);
        },
        reject,
      });
    });
  }

  /** @param {Dealer} socket */
  async #listen(socket) {
    for await (const frames of socket) {
      const came = performance.now();
      const [, parent, , content] = frames.slice(-4).map((frame) => JSON.parse(frame.toString('utf8')));
      this.#asked.get(parent.msg_id)?.resolve({ content, came });
      this.#asked.delete(parent.msg_id);
    }
  }
}

/**
 * @param {readonly string[]} argv as kernel.json has it
 * @param {string} cwd the notebook's folder
 */
export async function startKernel(argv, cwd) {
  const servers = Array.from({ length: 5 }, () => createServer().listen(0, IP));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return new JupyterKernel(argv, cwd, ports);
}

/** A number in /proc/PID/status; 0 where the process has just ended. @param {number} pid @param {string} name */
function field(pid, name) {
  try {
    return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
