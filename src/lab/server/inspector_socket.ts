/**
 * The inspector's websocket: each connection has a process of its own, which holds its model and its runs, and frames go
 * both ways as they are: a text is a text to the process, binary is a Uint8Array. A page that does not read is cut off, and
 * whatever ends one side is told to the other.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WebSocket } from 'ws';
import { onEnd } from './child_end.ts';
import { Refusal } from './refusal.ts';
import { closeSlow, MAX_UNREAD } from './sockets.ts';

/** Where pages connect. */
export const INSPECTOR_PATH = '/inspector/socket';

/** From src/lab/server as from dist/lab/server. */
const PROGRAM = fileURLToPath(new URL('../../../dist/lab/server/inspector_child.js', import.meta.url));

/** Each may hold a model. */
const MAX_INSPECTORS = 12;

/** Internal Error (RFC 6455, section 7.4.1). */
const DIED = 1011;
/** Bytes of a reason for closing. */
const MAX_REASON = 123;

export interface InspectorOptions {
  /** The lab's folder, given to the process as its only argument: it opens no file outside it (Root). */
  readonly folder: string;
  /** The program to run; the inspector's own unless a test has another. */
  readonly program?: string | undefined;
}

/** The processes of all inspectors that are open. */
export class Inspectors {
  readonly #options: InspectorOptions;
  readonly #children = new Set<ChildProcess>();

  constructor(options: InspectorOptions) {
    this.#options = options;
  }

  /** Throws Refusal where no other can be opened. */
  mustHaveRoom(): void {
    if (this.#children.size < MAX_INSPECTORS) return;
    throw new Refusal(503, 'too-many', `Cannot open another inspector: ${MAX_INSPECTORS} are open; close some tabs`);
  }

  /** Starts a process for a page, and pumps until either ends. */
  serve(socket: WebSocket): void {
    const { folder, program = PROGRAM } = this.#options;
    const child = fork(program, [folder], { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#children.add(child);
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      // What a busy process has not taken waits with the page, not here.
      const isTaken = child.send(isBinary ? new Uint8Array(data) : data.toString('utf8'), () => socket.resume());
      if (!isTaken) socket.pause();
    });
    socket.on('close', () => child.kill('SIGKILL'));
    child.on('message', (message: string | Uint8Array) => {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(message);
      if (socket.bufferedAmount > MAX_UNREAD) closeSlow(socket);
    });
    onEnd(child, (how) => {
      this.#children.delete(child);
      const reason = `Cannot go on: the inspector's process ${how}. Do it again: another is started`;
      socket.close(DIED, reason.slice(0, MAX_REASON));
    });
  }

  /** For a server that ends. */
  killAll(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}
