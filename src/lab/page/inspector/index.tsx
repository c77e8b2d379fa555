/** The inspector as a pane of a page: `mountInspector` draws it into an element and keeps it in step with its session. */
import './inspector.css';
import { render } from 'preact';
import type { Port } from '../../inspector/port.ts';
import type { LabActions } from '../shell/panes.ts';
import { keepAddress, notebookFolder } from './address.ts';
import { type LastingConnection, lastingConnection, socketPort } from './connection.ts';
import { type ListedFile, listFiles } from './files.ts';
import { Shell } from './shell.tsx';
import { type Inspector, inspectorOver } from './state.ts';

/** Through the server that the page came from. Where that is not reached, the inspector says so and what to do. */
export function mountInspector(host: HTMLElement, lab: LabActions): void {
  mountOver(lastingConnection(openSocket), host, lab);
}

/** What a page without a server has in its place. */
export interface Alone {
  /** The models and traces that the list offers: those that the page has with it. */
  listFiles(): Promise<readonly ListedFile[]>;
}

/**
 * Through any connection: of a worker, in a page without a server, which gives `alone`. The inspector that it gives is for
 * whoever leads it, as a lesson does.
 */
export function mountOver(
  connection: LastingConnection,
  host: HTMLElement,
  lab: LabActions,
  alone: Alone = { listFiles },
): Inspector {
  const inspector = inspectorOver(connection, lab.theme, notebookFolder);
  render(<Shell inspector={inspector} lab={lab} listFiles={alone.listFiles} />, host);
  keepAddress(inspector);
  return inspector;
}

function openSocket(): Promise<Port> {
  const url = new URL('/inspector/socket', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  const port = socketPort(socket);
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(port), { once: true });
    socket.addEventListener(
      'error',
      () =>
        reject(new Error(`Cannot reach the inspector at ${url.host}: see that the lab still runs, then do it again`)),
      { once: true },
    );
  });
}
