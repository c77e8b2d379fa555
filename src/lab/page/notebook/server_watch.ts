/** Whether the server is there, whether it is the one that we spoke with before, and whether it knows us. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { type ReadonlySignal, signal } from '@preact/signals';

/** Between two questions; in ms. */
const WHILE_UP_MS = 5000;
const WHILE_DOWN_MS = 1000;

export type ServerState =
  | { readonly is: 'up' /** Grows when another server answers than before. */; readonly generation: number }
  | { readonly is: 'down' }
  /** It answers, but to nobody who comes without its token: it was started again with another one. */
  | { readonly is: 'refusing' };

export interface ServerWatch {
  readonly state: ReadonlySignal<ServerState>;
  /** Asks now. */
  look(): Promise<void>;
}

export function watchServer(settings: ServerConnection.ISettings): ServerWatch {
  const state = signal<ServerState>({ is: 'up', generation: 0 });
  const url = URLExt.join(settings.baseUrl, 'api/status');
  let started: unknown;
  let generation = 0;
  let timer = 0;

  const found = async (): Promise<ServerState> => {
    try {
      const response = await ServerConnection.makeRequest(url, {}, settings);
      if (response.status === 401 || response.status === 403) return { is: 'refusing' };
      if (!response.ok) return { is: 'down' };
      const answer = await response.json();
      if (started !== undefined && answer.started !== started) generation++;
      started = answer.started;
      return { is: 'up', generation };
    } catch {
      return { is: 'down' };
    }
  };
  const look = async () => {
    window.clearTimeout(timer);
    const now = await found();
    const before = state.peek();
    const isSame =
      now.is === before.is && (now.is !== 'up' || before.is !== 'up' || now.generation === before.generation);
    if (!isSame) state.value = now;
    window.clearTimeout(timer);
    timer = window.setTimeout(look, now.is === 'up' ? WHILE_UP_MS : WHILE_DOWN_MS);
  };
  void look();
  return { state, look };
}
