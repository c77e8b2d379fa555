/**
 * How the page and the inspector's session talk: requests with an answer each, progress in between, and a word to stop. A
 * port is a worker's, or a websocket's at the other end of which a child process of the server listens.
 *
 * A file that was dropped stays on the page: the session asks for ranges of it, so that one of any size is opened at once.
 * Messages are plain data with typed arrays.
 */
import { LayerscopeError, type Place } from '../../errors.ts';
import type { ByteSource, Progress, Watch } from '../../platform.ts';

/** One end of a connection. */
export interface Port {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Called once, when the other end is gone; `why` is a sentence for the user. */
  onClose(listener: (why: string) => void): void;
}

export type ToSession =
  | { readonly type: 'ask'; readonly id: number; readonly request: string; readonly params: unknown }
  | { readonly type: 'stop'; readonly id: number }
  | { readonly type: 'bytes'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly type: 'no bytes'; readonly id: number; readonly why: string };

export type FromSession =
  | { readonly type: 'answer'; readonly id: number; readonly result: unknown }
  | { readonly type: 'failed'; readonly id: number; readonly error: Failure }
  | { readonly type: 'progress'; readonly id: number; readonly progress: Progress }
  | {
      readonly type: 'read';
      readonly id: number;
      readonly file: string;
      readonly offset: number;
      readonly length: number;
    };

/** An error as it travels. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly place: Omit<Place, 'cause'>;
}

/** Answers one request; what it throws is told to who asked. */
export type Answer = (request: string, params: unknown, watch: Watch) => Promise<unknown>;

/** A range of a file that lies at the other end. Rejects with LayerscopeError where it cannot be read. */
export type ReadLent = (file: string, offset: number, length: number) => Promise<Uint8Array>;

/** Answers requests of the other end until it is gone; then what is under way is stopped. Gives a way to read its files. */
export function serve(port: Port, answer: Answer): ReadLent {
  const underWay = new Map<number, AbortController>();
  const reads = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: Error): void }>();
  let lastRead = 0;
  let closed: string | null = null;
  const say = (said: FromSession) => port.post(said);
  const settled = (id: number) => {
    const read = reads.get(id);
    reads.delete(id);
    return read;
  };
  port.onClose((why) => {
    closed = why;
    for (const controller of underWay.values()) controller.abort();
    for (const id of [...reads.keys()]) settled(id)?.reject(new LayerscopeError(why));
  });
  const respond = async ({ id, request, params }: Extract<ToSession, { type: 'ask' }>) => {
    const controller = new AbortController();
    underWay.set(id, controller);
    try {
      const onProgress = (progress: Progress) => say({ type: 'progress', id, progress });
      say({ type: 'answer', id, result: await answer(request, params, { signal: controller.signal, onProgress }) });
    } catch (error) {
      say({ type: 'failed', id, error: failureOf(error) });
    } finally {
      underWay.delete(id);
    }
  };
  port.onMessage((received) => {
    const message = received as ToSession;
    switch (message.type) {
      case 'ask':
        return void respond(message);
      case 'stop':
        return underWay.get(message.id)?.abort();
      case 'bytes':
        return settled(message.id)?.resolve(message.bytes);
      case 'no bytes':
        return settled(message.id)?.reject(new LayerscopeError(message.why));
      default:
        message satisfies never;
    }
  });
  return (file, offset, length) =>
    new Promise((resolve, reject) => {
      if (closed !== null) return reject(new LayerscopeError(closed));
      const id = ++lastRead;
      reads.set(id, { resolve, reject });
      say({ type: 'read', id, file, offset, length });
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

/** What is said of a request. */
type Said = Exclude<FromSession, { type: 'read' }>;

/** The asking end. */
export class Client {
  readonly #port: Port;
  readonly #waiting = new Map<number, { settle(said: Said): void; fail(error: Error): void }>();
  readonly #lent = new Map<string, ByteSource>();
  #last = 0;
  #closed: string | null = null;

  constructor(port: Port) {
    this.#port = port;
    port.onMessage((message) => {
      const said = message as FromSession;
      if (said.type === 'read') void this.#send(said);
      else this.#waiting.get(said.id)?.settle(said);
    });
    port.onClose((why) => {
      this.#closed = why;
      for (const { fail } of this.#waiting.values()) fail(new LayerscopeError(why));
      this.#waiting.clear();
    });
  }

  /** From now on the session may read this file, by its name. */
  lend(file: ByteSource): void {
    this.#lent.set(file.name, file);
  }

  async #send({ id, file, offset, length }: Extract<FromSession, { type: 'read' }>): Promise<void> {
    const post = (message: ToSession) => this.#port.post(message);
    const source = this.#lent.get(file);
    if (!source)
      return post({ type: 'no bytes', id, why: `Cannot read ${file}: the page has no such file; drop it again` });
    try {
      post({ type: 'bytes', id, bytes: await source.read(offset, length) });
    } catch (error) {
      post({ type: 'no bytes', id, why: (error as Error).message });
    }
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
