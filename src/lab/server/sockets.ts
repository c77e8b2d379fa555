/** Websockets: how many there may be, how large their frames, how long one may be silent, how much may wait to be read. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { V1_PROTOCOL } from './channel_messages.ts';
import { Refusal } from './refusal.ts';

/** Bytes of one frame that a page sends. */
export const MAX_FRAME = 16 * 2 ** 20;
/** Bytes that may wait for a page to read them. */
export const MAX_UNREAD = 64 * 2 ** 20;
/** Websockets of all pages together. */
const MAX_SOCKETS = 256;
/** How often a page is asked whether it is there; one that has not answered by the next time is gone. Milliseconds. */
const ASK_MS = 30_000;
/** How long a page that does not read may take to notice that it is cut off. Milliseconds. */
const SLOW_MS = 5000;

/** Try Again Later (the registry of RFC 6455). */
const TRY_AGAIN = 1013;

export function closeSlow(socket: WebSocket): void {
  socket.close(TRY_AGAIN, 'the page does not read what it is sent; it may connect again');
  setTimeout(() => socket.terminate(), SLOW_MS).unref();
}

export class Sockets {
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(V1_PROTOCOL) ? V1_PROTOCOL : false),
  });
  readonly #silent = new WeakSet<WebSocket>();
  readonly #asking: NodeJS.Timeout;

  constructor() {
    this.#asking = setInterval(() => this.#ask(), ASK_MS);
    this.#asking.unref();
  }

  get count(): number {
    return this.#server.clients.size;
  }

  /** Makes a websocket of a request that was found good. Throws Refusal where there are too many. */
  accept(request: IncomingMessage, stream: Duplex, head: Buffer, serve: (socket: WebSocket) => void): void {
    if (this.#server.clients.size >= MAX_SOCKETS) {
      throw new Refusal(503, 'too-many', `Cannot connect: ${MAX_SOCKETS} connections are open; close some tabs`);
    }
    this.#server.handleUpgrade(request, stream, head, (socket) => {
      socket.on('pong', () => this.#silent.delete(socket));
      socket.on('error', () => {}); // ws closes it with the code that fits; `close` comes after it.
      serve(socket);
    });
  }

  close(): void {
    clearInterval(this.#asking);
    for (const socket of this.#server.clients) socket.close(1012, 'the server ends');
    for (const socket of this.#server.clients) setTimeout(() => socket.terminate(), 200).unref();
  }

  #ask(): void {
    for (const socket of this.#server.clients) {
      if (this.#silent.has(socket)) socket.terminate();
      this.#silent.add(socket);
      socket.ping();
    }
  }
}
