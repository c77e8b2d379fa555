/** The port: the one that was asked for, or the first free one. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LayerscopeError } from '../../errors.ts';

/** Where the search for a free port begins, and how many are tried. */
const FIRST_PORT = 8765;
const PORTS = 50;

/** Listens, and gives the port. Throws LayerscopeError where none can be had. */
export async function listen(server: Server, host: string, port: number | undefined): Promise<number> {
  if (port !== undefined) {
    const error = await triedPort(server, host, port);
    if (error) throw new LayerscopeError(`Cannot start the lab: ${whyNoPort(error, host, port)}`, { cause: error });
    return (server.address() as AddressInfo).port;
  }
  for (let candidate = FIRST_PORT; candidate < FIRST_PORT + PORTS; candidate++) {
    const error = await triedPort(server, host, candidate);
    if (!error) return candidate;
    if (error.code !== 'EADDRINUSE') {
      throw new LayerscopeError(`Cannot start the lab: ${whyNoPort(error, host, candidate)}`, { cause: error });
    }
  }
  const last = FIRST_PORT + PORTS - 1;
  throw new LayerscopeError(
    `Cannot start the lab: ports ${FIRST_PORT} to ${last} are in use; choose another with --port N`,
  );
}

function triedPort(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: Error) => {
      server.off('listening', listening);
      resolve(error);
    };
    const listening = () => {
      server.off('error', failed);
      resolve(null);
    };
    server.once('error', failed).once('listening', listening).listen(port, host);
  });
}

function whyNoPort({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use, perhaps by another lab; end that, choose another with --port N, or leave --port out`;
    case 'EACCES':
      return `this user may not have port ${port}; choose one from 1024 on`;
    case 'EADDRNOTAVAIL':
      return `this machine has no address ${host}; leave it out`;
    default:
      return `port ${port} cannot be had (${message}); choose another with --port N`;
  }
}
