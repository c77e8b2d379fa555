/** The engine of a page without a server: a worker of its own, or where the browser lets none run, the page's own thread. */
import type { Port } from '../../inspector/port.ts';
import { workerPort } from '../inspector/connection.ts';

/** What a page finds on its global object after it has run the engine's script itself. */
export interface EngineInPage {
  serveLayerscope?: (port: Port) => void;
}

/** What the engine says first in a worker: it runs, and will answer. */
export const READY = 'ready';

export interface Engine {
  readonly port: Port;
  /** What is not as it should be, a sentence for the user; null where all is. */
  readonly notice: string | null;
}

/** Where the engine's script is: at an address, or in the page as text. */
export type EngineScript = { readonly url: string } | { readonly text: string };

/** Rejects with an Error where it runs in neither. */
export async function startEngine(script: EngineScript): Promise<Engine> {
  try {
    return { port: workerPort(await startedWorker(script)), notice: null };
  } catch (error) {
    const why = (error as Error).message;
    return {
      port: await portInPage(script),
      notice: `This browser runs no worker here (${why}), so the model shares the page’s own thread: the page may halt for a moment while it computes.`,
    };
  }
}

async function startedWorker(script: EngineScript): Promise<Worker> {
  const url = 'url' in script ? script.url : URL.createObjectURL(new Blob([script.text], { type: 'text/javascript' }));
  const worker = new Worker(url);
  await new Promise<void>((resolve, reject) => {
    worker.addEventListener('message', ({ data }) => data === READY && resolve(), { once: true });
    worker.addEventListener('error', ({ message }) => reject(new Error(message || 'it was refused')), { once: true });
  });
  if ('text' in script) URL.revokeObjectURL(url);
  return worker;
}

/** The backends give the page a turn every few dozen milliseconds: that is enough to draw and to stop. */
async function portInPage(script: EngineScript): Promise<Port> {
  const element = document.createElement('script');
  const loaded = new Promise((resolve, reject) => {
    if ('text' in script) return resolve(undefined);
    element.addEventListener('load', resolve, { once: true });
    element.addEventListener('error', () => reject(new Error(`Cannot load ${script.url}: load the page again`)));
  });
  if ('text' in script) element.textContent = script.text;
  else element.src = script.url;
  document.head.append(element);
  await loaded;
  const { serveLayerscope } = globalThis as EngineInPage;
  if (!serveLayerscope) throw new Error('Cannot start the engine: its script did not run; use another browser');
  const [page, engine] = portPair();
  serveLayerscope(engine);
  return page;
}

/** Two ends in one thread. Messages are copied and arrive later, as from a worker; neither end is ever gone. */
function portPair(): readonly [Port, Port] {
  const listeners: (((message: unknown) => void) | null)[] = [null, null];
  const end = (own: 0 | 1): Port => ({
    post: (message) => {
      const copied = structuredClone(message);
      setTimeout(() => listeners[1 - own]?.(copied));
    },
    onMessage: (listener) => {
      listeners[own] = listener;
    },
    onClose: () => {},
  });
  return [end(0), end(1)];
}
