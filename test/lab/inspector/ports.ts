/** A page's connection to a session in this process, for tests: by messages as they are, or as bytes on a wire. */

import type { InspectorHost } from '../../../src/lab/inspector/host.ts';
import { serveInspector } from '../../../src/lab/inspector/index.ts';
import { Client, type Port } from '../../../src/lab/inspector/port.ts';
import type { ParamsOf, RequestName, ResultOf } from '../../../src/lab/inspector/requests/index.ts';
import type { Session } from '../../../src/lab/inspector/session.ts';
import { fromBytes, toBytes } from '../../../src/lab/inspector/wire.ts';
import { openFile } from '../../../src/node/files.ts';
import { nodePlatform } from '../../../src/node/index.ts';
import type { Watch } from '../../../src/platform.ts';

export const LILY = 'fixtures/lily-4m-q8_0.gguf';

/** Files of this repository, by their path in it. */
export const nodeHost: InspectorHost = {
  platform: nodePlatform,
  open: (path) => openFile(new URL(`../../../${path}`, import.meta.url).pathname),
  llamaCpp: null,
};

export interface Connected {
  readonly session: Session;
  readonly client: Client;
  /** Messages that the session received, in order. */
  readonly received: readonly unknown[];
  ask<Name extends RequestName>(name: Name, params: ParamsOf<Name>, watch?: Watch): Promise<ResultOf<Name>>;
  /** The page goes away. */
  hangUp(): void;
}

/** Each way a message is copied, as a worker or a socket does. */
const WAYS = {
  clone: (message: unknown) => structuredClone(message),
  wire: (message: unknown) => fromBytes(toBytes(message)),
} as const;

export type Way = keyof typeof WAYS;

export function connected(way: Way = 'clone', host: InspectorHost = nodeHost): Connected {
  const received: unknown[] = [];
  const [page, engine] = portPair(WAYS[way], received);
  const session = serveInspector(engine.port, host);
  const client = new Client(page.port);
  return {
    session,
    client,
    received,
    ask: (name, params, watch) => client.ask(name, params, watch) as Promise<never>,
    hangUp: () => {
      for (const end of [page, engine]) end.close('The page was closed');
    },
  };
}

interface End {
  readonly port: Port;
  close(why: string): void;
}

function portPair(copy: (message: unknown) => unknown, received: unknown[]): [page: End, engine: End] {
  const ends = [new Listeners(), new Listeners()] as const;
  const end = (own: Listeners, other: Listeners, seen?: unknown[]): End => ({
    port: {
      post: (message) => {
        const copied = copy(message);
        seen?.push(copied);
        queueMicrotask(() => other.message?.(copied));
      },
      onMessage: (listener) => {
        own.message = listener;
      },
      onClose: (listener) => own.closed.push(listener),
    },
    close: (why) => {
      for (const listener of own.closed.splice(0)) listener(why);
    },
  });
  return [end(ends[0], ends[1], received), end(ends[1], ends[0])];
}

class Listeners {
  message: ((message: unknown) => void) | null = null;
  readonly closed: ((why: string) => void)[] = [];
}
