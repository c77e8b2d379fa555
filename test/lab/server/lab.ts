/** A lab on a folder of its own, driven as pages drive it: by `@jupyterlab/services`, and by requests made by hand. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Agent, request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as Services from '@jupyterlab/services';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type Lab, type LabOptions, startLab } from '../../../src/lab/server/index.ts';

/** As the page's bundle has it, but CommonJS: Node cannot import its names. */
export const services: typeof Services = createRequire(import.meta.url)('@jupyterlab/services');

/** Milliseconds to wait for anything. */
const PATIENCE = 30_000;

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  /** A connection of its own for each request where there is none. */
  readonly agent?: Agent;
}

/** A folder for a test, gone after it. */
export function newFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-lab-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

/** A notebook file with these code cells. */
export function notebookText(...sources: readonly string[]): string {
  const cells = sources.map((source, i) => ({
    ...{ cell_type: 'code', id: `cell-${i}`, metadata: {}, source: [source], outputs: [], execution_count: null },
  }));
  return `${JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
}

export class TestLab {
  readonly lab: Lab;
  readonly folder: string;
  /** What it logged. */
  readonly logged: string[];

  constructor(lab: Lab, folder: string, logged: string[]) {
    this.lab = lab;
    this.folder = folder;
    this.logged = logged;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.lab.port}`;
  }

  get settings(): Services.ServerConnection.ISettings {
    const { origin, lab } = this;
    const [baseUrl, wsUrl] = [`${origin}/`, `${origin.replace('http', 'ws')}/`];
    return services.ServerConnection.makeSettings({ baseUrl, wsUrl, token: lab.token, appendToken: true });
  }

  get contents(): Services.ContentsManager {
    const { settings: serverSettings } = this;
    return new services.ContentsManager({ defaultDrive: new services.Drive({ serverSettings }), serverSettings });
  }

  get sessions(): Services.SessionManager {
    const { settings: serverSettings } = this;
    const kernelManager = new services.KernelManager({ serverSettings });
    const sessions = new services.SessionManager({ serverSettings, kernelManager });
    onTestFinished(() => {
      sessions.dispose();
      kernelManager.dispose();
    });
    return sessions;
  }

  /** A request by hand, its path sent as it is spelt; with the token unless `headers` says otherwise. */
  ask(path: string, asked: Asked = {}): Promise<Answered> {
    return send(this.lab.port, path, { headers: { Authorization: `token ${this.lab.token}` }, ...asked });
  }

  /** What a page has after its login: its cookies, and the token that goes back in a header. */
  async login(): Promise<{ readonly cookie: string; readonly xsrf: string }> {
    const { headers } = await send(this.lab.port, `/lab?token=${this.lab.token}`, {});
    const cookies = (headers['set-cookie'] ?? []).map((cookie) => cookie.replace(/;.*/, ''));
    return { cookie: cookies.join('; '), xsrf: cookies.find((cookie) => cookie.startsWith('_xsrf='))?.slice(6) ?? '' };
  }

  socket(
    path: string,
    options: { readonly headers?: Record<string, string>; readonly protocol?: string } = {},
  ): WebSocket {
    const { headers = { Authorization: `token ${this.lab.token}` }, protocol } = options;
    return new WebSocket(`${this.origin.replace('http', 'ws')}${path}`, protocol ?? [], { headers });
  }
}

/** Starts a lab, which whoever asked for it ends; its secret is not kept. */
export async function startTestLab(folder: string, options: Partial<LabOptions> = {}): Promise<TestLab> {
  const logged: string[] = [];
  const state = '/dev/null/no-folder';
  const lab = await startLab({ root: folder, port: 0, state, log: (line) => logged.push(line), ...options });
  return new TestLab(lab, folder, logged);
}

/** Starts a lab that ends with the test. */
export async function newLab(folder = newFolder(), options: Partial<LabOptions> = {}): Promise<TestLab> {
  const lab = await startTestLab(folder, options);
  onTestFinished(() => lab.lab.close());
  return lab;
}

export function send(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body, agent }: Asked,
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, path, method, headers, agent: agent ?? false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          resolve({ status, headers, text, json: () => JSON.parse(text) });
        });
      },
    );
    request.on('error', reject).end(body);
  });
}

/** Resolves when `isSo`; throws with `what` where it does not become so. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, patience = PATIENCE): Promise<void> {
  const end = Date.now() + patience;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(`Cannot go on: ${what} did not happen in ${patience / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** How a websocket ended: the code and reason of its close, or the status of the refused upgrade. */
export function ended(socket: WebSocket): Promise<{ code: number; reason: string; opened: boolean }> {
  return new Promise((resolve) => {
    let opened = false;
    socket.on('open', () => {
      opened = true;
    });
    socket.on('unexpected-response', (_, response) => {
      resolve({ code: response.statusCode ?? 0, reason: '', opened });
      socket.terminate();
    });
    socket.on('error', () => {});
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString(), opened }));
  });
}

/** What a cell gave. */
export interface Ran {
  readonly status: string;
  /** On iopub, from busy to idle. */
  readonly messages: readonly KernelMessage.IIOPubMessage[];
  /** Their contents as JSON, to look for something in. */
  readonly text: string;
}

/** Runs a cell; done when its reply and the status idle are there. */
export async function run(kernel: Kernel.IKernelConnection, code: string): Promise<Ran> {
  const messages: KernelMessage.IIOPubMessage[] = [];
  const future = kernel.requestExecute({ code });
  future.onIOPub = (message) => void messages.push(message);
  const { content } = await future.done;
  const text = messages.map((message) => JSON.stringify(message.content)).join('\n');
  return { status: content.status, messages, text };
}
