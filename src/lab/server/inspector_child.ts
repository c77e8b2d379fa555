/**
 * The inspector's process: serves one page, whose messages the server hands on as bytes (src/lab/inspector/wire.ts). Its only
 * argument is the lab's folder; nothing outside it is opened. It ends with the server or when the page has gone.
 */
import { serveInspector } from '../inspector/index.ts';
import type { FromSession } from '../inspector/port.ts';
import { fromBytes, toBytes } from '../inspector/wire.ts';
import { labHost } from './inspector_host.ts';
import { Root } from './root.ts';

/** The most bytes of one message: a page that is slow to read may have two waiting (MAX_UNREAD in sockets.ts). */
const MAX_MESSAGE = 30 * 2 ** 20;

const [folder = '.'] = process.argv.slice(2);
const host = labHost(await Root.open(folder));

/** Sends a message, or in place of an answer that is too large for one the reason why it does not come. */
function post(message: unknown): void {
  if (!process.connected) return;
  const bytes = toBytes(message);
  process.send?.(bytes.byteLength <= MAX_MESSAGE ? bytes : toBytes(tooLarge(message as FromSession, bytes.byteLength)));
}

function tooLarge({ id }: FromSession, bytes: number): FromSession {
  const message =
    `Cannot send the answer: it has ${(bytes / 1e6).toFixed(0)} MB and a message to the page holds ${(MAX_MESSAGE / 1e6).toFixed(0)} MB. ` +
    'Ask for a part: some rows, a head, a token, or a shorter text';
  return { type: 'failed', id, error: { name: 'UsageError', message, place: {} } };
}

serveInspector(
  {
    post,
    onMessage: (listener) => process.on('message', (bytes: Uint8Array) => listener(fromBytes(bytes))),
    // Nobody is left to answer: what llama.cpp's processes and the GPU hold goes with this one.
    onClose: () => process.once('disconnect', () => process.exit(0)),
  },
  host,
);

// Ctrl-C is sent to all processes of a terminal: the server ends this one when it ends itself.
process.on('SIGINT', () => {});
