/** The five sockets of a Jupyter kernel. */
import { readFileSync } from 'node:fs';
import { Publisher, Router } from 'zeromq';
import { NotebookError } from '../../errors.ts';
import { framesOf, type Message, type Request, readRequest } from './message.ts';

/** What Jupyter writes for a kernel before it starts it. */
export interface ConnectionFile {
  readonly transport: string;
  readonly ip: string;
  readonly key: string;
  readonly shell_port: number;
  readonly control_port: number;
  readonly iopub_port: number;
  readonly stdin_port: number;
  readonly hb_port: number;
}

const PORTS = ['shell_port', 'control_port', 'iopub_port', 'stdin_port', 'hb_port'] as const;

/** Throws NotebookError where the file cannot be read or is none. */
export function readConnectionFile(path: string): ConnectionFile {
  const failure = (found: string) =>
    new NotebookError(`Cannot start the kernel: the connection file ${path} ${found}; Jupyter writes it`, {
      file: path,
    });
  let file: Partial<ConnectionFile> | null;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw failure(`cannot be read (${error instanceof Error ? error.message : error})`);
  }
  if (file === null) throw failure('is no object');
  const missing = PORTS.filter((port) => typeof file?.[port] !== 'number');
  if (missing.length > 0) throw failure(`has no ${missing.join(', ')}`);
  const scheme = (file as { signature_scheme?: string }).signature_scheme ?? 'hmac-sha256';
  if (scheme !== 'hmac-sha256') throw failure(`wants signatures by ${scheme}; wanted hmac-sha256`);
  return { transport: 'tcp', ip: '127.0.0.1', key: '', ...file } as ConnectionFile;
}

export interface Connection {
  send(message: Message): void;
  /** Done when everything is sent. */
  close(): Promise<void>;
}

export interface ConnectionHandlers {
  onRequest(request: Request): void;
  log(line: string): void;
}

/** Binds the sockets and begins to listen. Throws NotebookError where a port is taken. */
export async function connect(file: ConnectionFile, { onRequest, log }: ConnectionHandlers): Promise<Connection> {
  // No limit to what waits to be sent: at a limit ZeroMQ drops messages, and with them the one that says a cell is done.
  const unlimited = { sendHighWaterMark: 0, receiveHighWaterMark: 0, linger: 2000 };
  const sockets = {
    shell: new Router(unlimited),
    control: new Router(unlimited),
    iopub: new Publisher({ sendHighWaterMark: 0, linger: 2000 }),
    stdin: new Router(unlimited),
    hb: new Router({ linger: 0 }),
  };
  for (const [name, socket] of Object.entries(sockets)) {
    const port = file[`${name}_port` as (typeof PORTS)[number]];
    const address = `${file.transport}://${file.ip}${file.transport === 'ipc' ? '-' : ':'}${port}`;
    await socket.bind(address).catch((error: Error) => {
      throw new NotebookError(`Cannot start the kernel: ${address} cannot be bound (${error.message}); start it again`);
    });
  }

  const receive = async (channel: 'shell' | 'control') => {
    for await (const frames of sockets[channel]) {
      try {
        onRequest(readRequest(channel, frames, file.key));
      } catch (error) {
        log(`Dropped a message on ${channel}: ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  const echo = async () => {
    for await (const frames of sockets.hb) await sockets.hb.send(frames);
  };
  for (const listening of [receive('shell'), receive('control'), echo()]) {
    listening.catch((error) => log(`Cannot listen: ${error}`));
  }

  const sending = {
    shell: Promise.resolve(),
    control: Promise.resolve(),
    iopub: Promise.resolve(),
    stdin: Promise.resolve(),
  };
  return {
    send(message) {
      const { channel } = message;
      const frames = framesOf(message, file.key);
      // A socket takes one message at a time. One to a client that is gone cannot be sent, and need not be.
      sending[channel] = sending[channel]
        .then(() => sockets[channel].send(frames as Buffer[]))
        .catch((error) => log(`Cannot send ${message.header.msg_type}: ${error}`));
    },
    async close() {
      await Promise.all(Object.values(sending));
      for (const socket of Object.values(sockets)) socket.close();
    },
  };
}
