/** The lab's server: the page, Jupyter's API and kernels, files and the inspector, for one folder and this machine alone. */
import { Guard } from './guard.ts';
import { LabServer, type Patience } from './lab_server.ts';
import { listen } from './listen.ts';
import { Root } from './root.ts';
import { keptSecret, newToken, stateFolder } from './secret.ts';

export interface LabOptions {
  /** The folder whose files the page sees. */
  readonly root: string;
  /** 0 for any that is free; undefined for the first that is free (listen.ts). */
  readonly port?: number | undefined;
  /** The only addresses there are: this machine's own. */
  readonly host?: '127.0.0.1' | '::1';
  /** Where the secret lies that lets open pages go on after a restart. */
  readonly state?: string;
  /** For what the server has to say beside its answers. */
  readonly log?: (line: string) => void;
  readonly patience?: Patience;
  /** The program of the inspector's processes; a test has one of its own. */
  readonly inspector?: string;
}

export interface Lab {
  /** The page's address, with the token. */
  readonly url: string;
  readonly port: number;
  /** Another one each time. */
  readonly token: string;
  /** Ends the kernels and the server. */
  close(): Promise<void>;
}

/** Milliseconds. */
const PATIENCE: Patience = { head: 10_000, request: 120_000 };

/**
 * Starts the server.
 *
 * @throws LayerscopeError where there is no such folder, or the port cannot be had
 */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { host = '127.0.0.1', log = (line) => void process.stderr.write(`layerscope lab: ${line}\n`) } = options;
  const root = await Root.open(options.root);
  const secret = await keptSecret(options.state ?? stateFolder());
  if (secret.notKept) log(`${secret.notKept}: after a restart open pages have to log in again`);
  const token = newToken();
  const service = new LabServer({
    root,
    guard: new Guard(token, secret),
    log,
    patience: options.patience ?? PATIENCE,
    inspector: options.inspector,
  });
  const port = await listen(service.http, host, options.port);
  const url = `http://${host === '::1' ? '[::1]' : host}:${port}/lab?token=${token}`;
  return { url, port, token, close: () => service.close() };
}
