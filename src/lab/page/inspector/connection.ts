/** The page's way to a session: over a websocket to the server's child process, or to a worker in this page. */
import { blobSource } from '../../../browser/blob.ts';
import type { Watch } from '../../../platform.ts';
import type { Experiment } from '../../inspector/experiment.ts';
import { Client, type Port, SessionError } from '../../inspector/port.ts';
import type { DropParams } from '../../inspector/requests/drop.ts';
import type { ParamsOf, RequestName, ResultOf } from '../../inspector/requests/index.ts';
import type { RunState } from '../../inspector/requests/move.ts';
import { fromBytes, toBytes } from '../../inspector/wire.ts';

export interface Connection {
  /** Rejects with SessionError as the session says, or LayerscopeError where it is gone. */
  ask<Name extends RequestName>(name: Name, params: ParamsOf<Name>, watch?: Watch): Promise<ResultOf<Name>>;
  /**
   * Lets the session read a file that was dropped on the page, by range, and gives the name by which requests name it from
   * now on. Rejects with LayerscopeError where it is empty, or is neither a model nor a trace and not said to be a dump.
   */
  drop(file: File, options?: DropOptions): Promise<string>;
}

export interface LastingConnection extends Connection {
  /** Calls back when the session, or its GPU, is there again after it was lost: models are opened anew, perhaps on another backend. */
  onRenewed(listener: () => void): void;
}

type DropOptions = Pick<DropParams, 'isDump'>;

export function connectionOver(port: Port): Connection {
  const client = new Client(port);
  return {
    ask: (name, params, watch) => client.ask(name, params, watch) as Promise<never>,
    async drop(file, options = {}) {
      const source = blobSource(file);
      client.lend(source);
      await client.ask('drop', { name: source.name, size: source.size, ...options });
      return source.name;
    },
  };
}

/**
 * A connection that is made anew, by the next request, after it was lost: the lab may have been stopped and started again. Files
 * that were dropped are lent again; runs begin anew from their experiments, which every request names, and the one that was moved
 * last comes to where it was. That one does so too after the GPU was lost, and every run with it.
 */
export function lastingConnection(open: () => Promise<Port>): LastingConnection {
  const dropped = new Map<string, readonly [File, DropOptions]>();
  let moved: Moved | null = null;
  let current: Promise<Connection> | null = null;
  let tellRenewed = () => {};
  /** What cannot be had any more is told to whoever asks for it. */
  const resumed = async (connection: Connection) => {
    if (moved) {
      await comeBack(connection, moved).catch(() => {
        moved = null;
      });
    }
    tellRenewed();
    return connection;
  };
  const connect = async () => {
    const port = await open();
    const connection = connectionOver(port);
    port.onClose(() => {
      current = null;
    });
    for (const [file, options] of dropped.values()) await connection.drop(file, options).catch(() => {});
    return resumed(connection);
  };
  const connected = () => {
    current ??= connect().catch((error) => {
      current = null;
      throw error;
    });
    return current;
  };
  return {
    ask: (name, params, watch) =>
      connected().then((connection) =>
        connection.ask(name, params, watch).then(
          (result) => {
            if (name === 'move') moved = { ...(params as ParamsOf<'move'>), state: result as RunState };
            return result;
          },
          (error) => {
            if (error instanceof SessionError && error.kind === 'DeviceError' && current) current = resumed(connection);
            throw error;
          },
        ),
      ),
    async drop(file, options = {}) {
      const name = await (await connected()).drop(file, options);
      dropped.set(name, [file, options]);
      return name;
    },
    onRenewed(listener) {
      tellRenewed = listener;
    },
  };
}

/** Where a run was. */
interface Moved {
  readonly experiment: Experiment;
  readonly state: RunState;
}

/** Brings a run that began anew to where it was; what was drawn is drawn again, the likeliest tokens as before. */
async function comeBack({ ask }: Connection, { experiment, state }: Moved): Promise<void> {
  const { drawn, at, next, passes } = state;
  const found = await ask('move', { experiment, move: { drawn } });
  if ((found.at === at && found.passes === passes) || at === null) return;
  await ask('move', { experiment, move: next === null ? { to: 'end' } : { after: at, pass: passes - 1 } });
}

/** The port of an open websocket. */
export function socketPort(socket: WebSocket): Port {
  socket.binaryType = 'arraybuffer';
  return {
    post: (message) => socket.send(toBytes(message) as Uint8Array<ArrayBuffer>),
    onMessage: (listener) =>
      socket.addEventListener('message', ({ data }) => listener(fromBytes(new Uint8Array(data as ArrayBuffer)))),
    onClose: (listener) =>
      socket.addEventListener('close', ({ reason }) =>
        listener(
          reason ||
            'Cannot go on: the inspector’s connection to the lab was lost. See that the lab still runs, then do it again',
        ),
      ),
  };
}

/** What a port needs of a worker. */
interface WorkerEnd {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'error', listener: (event: { readonly message: string }) => void): void;
}

/** The port of a worker. */
export function workerPort(worker: WorkerEnd): Port {
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => worker.addEventListener('message', ({ data }) => listener(data)),
    onClose: (listener) =>
      worker.addEventListener('error', ({ message }) =>
        listener(`The inspector’s worker ended: ${message}; load the page again`),
      ),
  };
}
