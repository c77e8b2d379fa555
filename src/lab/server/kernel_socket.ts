/** One page's websocket to one kernel. A page that does not read is cut off, and hears the rest when it comes back. */
import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { frameOf, readFrame } from './channel_messages.ts';
import type { LabKernel, Listener } from './kernel.ts';
import { closeSlow, MAX_UNREAD } from './sockets.ts';

/** Codes of closing (RFC 6455, section 7.4.1): after the first a page does not connect again. */
const [NORMAL, MALFORMED] = [1000, 1007];

export function serveKernel(socket: WebSocket, kernel: LabKernel, query: URLSearchParams): void {
  const session = query.get('session_id') || randomUUID();
  const listener: Listener = {
    send(message) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(frameOf(message, socket.protocol));
      if (socket.bufferedAmount <= MAX_UNREAD) return;
      kernel.disconnect(session, listener);
      closeSlow(socket);
    },
    end: (why) => socket.close(NORMAL, why),
  };
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    try {
      const request = readFrame(data, isBinary, socket.protocol);
      if (request) kernel.handle(session, request);
    } catch (error) {
      socket.close(MALFORMED, `not a message of Jupyter: ${(error as Error).message}`.slice(0, 120));
    }
  });
  socket.on('close', () => kernel.disconnect(session, listener));
  kernel.connect(session, listener);
}
