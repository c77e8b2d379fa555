/** The inspector as a pane of a page: `mountInspector` draws it into an element and keeps it in step with its session. */
import './inspector.css';
import { render } from 'preact';
import type { LabActions } from '../shell/panes.ts';
import { type Connection, connectionOver, socketPort } from './connection.ts';
import { Shell } from './shell.tsx';
import { type Inspector, inspectorOver } from './state.ts';

/** Through the server that the page came from. Resolves when the session is reached, rejects with an Error where it is not. */
export async function mountInspector(host: HTMLElement, lab: LabActions): Promise<void> {
  mountOver(connectionOver(socketPort(await openSocket())), host, lab);
}

/** Through any connection: of a worker, in a page without a server. */
export function mountOver(connection: Connection, host: HTMLElement, lab: LabActions): Inspector {
  const inspector = inspectorOver(connection, lab.theme);
  render(<Shell inspector={inspector} lab={lab} />, host);
  return inspector;
}

function openSocket(): Promise<WebSocket> {
  const url = new URL('/inspector/socket', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(socket), { once: true });
    socket.addEventListener(
      'error',
      () =>
        reject(
          new Error(`Cannot reach the inspector at ${url}: see that the lab still runs, then load the page again`),
        ),
      { once: true },
    );
  });
}
