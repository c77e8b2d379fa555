/**
 * How the page and the inspector's session talk: requests with an answer each, progress in between, and a word to stop. A
 * port is a worker's, or a websocket's at the other end of which a child process of the server listens.
 *
 * Messages are plain data with typed arrays and, between a page and its worker, files.
 */
import { LayerscopeError, type Place } from '../../errors.ts';
import type { Progress, Watch } from '../../platform.ts';

/** One end of a connection. */
export interface Port {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, when the other end is gone; `why` is a sentence for the user. */
  onClose(listener: (why: string) => void): void;
}

export type ToSession =
  | { readonly type: 'ask'; readonly id: number; readonly request: string; readonly params: unknown }
  | { readonly type: 'stop'; readonly id: number };

export type FromSession =
  | { readonly type: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: Failure }
  | { readonly type: 'progress'; readonly id: number; readonly progress: Progress };

/** An error as it travels. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly place: Omit<Place, 'cause'>;
}

/** Answers one request; what it throws is told to who asked. */
export type Answer = (request: string, params: unknown, watch: Watch) => Promise<unknown>;

/** Answers requests of the other end until it is gone; then what is under way is stopped. */
export function serve(port: Port, answer: Answer): void {
  const underWay = new Map<number, AbortController>();
  port.onClose(() => {
    for (const controller of underWay.values()) controller.abort();
  });
  port.onMessage(async (received) => {
    const message = received as ToSession;
    if (message.type === 'stop') {
      underWay.get(message.id)?.abort();
      return;
    }
    const { id, request, params } = message;
    const controller = new AbortController();
    underWay.set(id, controller);
    const say = (said: FromSession) => port.post(said);
    try {
      const onProgress = (progress: Progress) => say({ type: 'progress', id, progress });
      say({ type: 'answer', id, result: await answer(request, params, { signal: controller.signal, onProgress }) });
    } catch (error) {
      say({ type: 'failed', id, error: failureOf(error) });
    } finally {
      underWay.delete(id);
    }
  });
}

function failureOf(error: unknown): Failure {
  if (error instanceof LayerscopeError) {
    const { name, message, file, tensor, step } = error;
    const place = Object.entries({ file, tensor, step }).filter(([, value]) => value !== undefined);
    return { name, message, place: Object.fromEntries(place) };
  }
  return { name: 'Error', message: error instanceof Error ? error.message : String(error), place: {} };
}

/** The asking end. */
export class Client {
  readonly #port: Port;
  readonly #waiting = new Map<number, { settle(said: FromSession): void; fail(error: Error): void }>();
  #last = 0;
  #closed: string | null = null;

  constructor(port: Port) {
    this.#port = port;
    port.onMessage((message) => {
      const said = message as FromSession;
      this.#waiting.get(said.id)?.settle(said);
    });
    port.onClose((why) => {
      this.#closed = why;
      for (const { fail } of this.#waiting.values()) fail(new LayerscopeError(why));
      this.#waiting.clear();
    });
  }

  /** Rejects with LayerscopeError: what the session threw, or that it is gone. */
  ask(request: string, params: unknown, { signal, onProgress }: Watch = {}): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      if (this.#closed !== null) {
        reject(new LayerscopeError(this.#closed));
        return;
      }
      const stop = () => this.#port.post({ type: 'stop', id } satisfies ToSession);
      const over = () => {
        this.#waiting.delete(id);
        signal?.removeEventListener('abort', stop);
      };
      this.#waiting.set(id, {
        settle: (said) => {
          if (said.type === 'progress') {
            onProgress?.(said.progress);
            return;
          }
          over();
          if (said.type === 'answer') resolve(said.result);
          else reject(new SessionError(said.error));
        },
        fail: (error) => {
          over();
          reject(error);
        },
      });
      this.#port.post({ type: 'ask', id, request, params } satisfies ToSession);
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop);
    });
  }
}

/** What a session threw, on the page's side. */
export class SessionError extends LayerscopeError {
  /** The name of the error's class: `StepError`, `InterruptedError`, … */
  readonly kind: string;

  constructor({ name, message, place }: Failure) {
    super(message, place);
    this.kind = name;
  }
}
