/** The server as JupyterLab's components want it: contents, kernels, sessions. Who we are is in the browser's cookie. */
import { PageConfig } from '@jupyterlab/coreutils';
import {
  ContentsManager,
  KernelManager,
  KernelSpecManager,
  ServerConnection,
  type ServiceManager,
  SessionManager,
} from '@jupyterlab/services';

/** The managers that a document uses; those of terminals, events and settings would ask for what our server has not. */
export type Services = Pick<ServiceManager.IManager, 'contents' | 'kernels' | 'kernelspecs' | 'sessions' | 'ready'> & {
  readonly serverSettings: ServerConnection.ISettings;
};

export function connectServices(): Services {
  const { origin } = location;
  PageConfig.setOption('baseUrl', `${origin}/`);
  PageConfig.setOption('wsUrl', `${origin.replace(/^http/, 'ws')}/`);
  const serverSettings = ServerConnection.makeSettings();
  const options = { serverSettings, standby: 'when-hidden' } as const;
  const kernels = new KernelManager(options);
  const sessions = new SessionManager({ ...options, kernelManager: kernels });
  const kernelspecs = new KernelSpecManager(options);
  const contents = new ContentsManager(options);
  const ready = Promise.all([sessions.ready, kernelspecs.ready]).then(() => {});
  return { contents, kernels, kernelspecs, sessions, ready, serverSettings };
}

/** What a refused request said, or why none came through. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A request that no server answers is a NetworkError with the browser's own words, "Failed to fetch".
  return error instanceof ServerConnection.NetworkError ? 'the server does not answer' : error.message;
}
