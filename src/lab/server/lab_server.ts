/**
 * What answers: each address, who may ask for it, and the websockets. Everything is refused that does not show the token; what
 * is refused is said in JSON.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import router from 'find-my-way';
import sirv from 'sirv';
import type { WebSocket } from 'ws';
import { KERNEL_NAME } from '../../notebook/kernelspec.ts';
import { readBody, refusalOf, sendError, sendHtml, sendJson, sendNothing, setHeaders } from './answer.ts';
import { apiRoutes } from './api.ts';
import { Connections } from './connections.ts';
import { Contents } from './contents.ts';
import type { Guard } from './guard.ts';
import { INSPECTOR_PATH, Inspectors } from './inspector_socket.ts';
import { serveKernel } from './kernel_socket.ts';
import { Kernels } from './kernels.ts';
import { LOGIN, NOT_BUILT, onwards, pageFiles, pageHtml } from './page.ts';
import { sendFile } from './raw_files.ts';
import { Refusal } from './refusal.ts';
import type { Root } from './root.ts';
import { Sockets } from './sockets.ts';

/** Bytes of a request's body: a notebook with many charts. */
const MAX_BODY = 256e6;
/** Of what is no file. */
const MAX_SMALL_BODY = 1e6;
/** How long a connection may stand still. Milliseconds. */
const IDLE_MS = 120_000;

const LOGOS = sirv(fileURLToPath(new URL('../../../src/notebook/assets/', import.meta.url)), { extensions: [] });

/** How long a client may take to send a request's head, and all of it. Milliseconds. */
export interface Patience {
  readonly head: number;
  readonly request: number;
}

export interface LabServerParts {
  readonly root: Root;
  readonly guard: Guard;
  readonly log: (line: string) => void;
  readonly patience: Patience;
  /** The program of the inspector's processes; undefined for its own. */
  readonly inspector: string | undefined;
}

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  params: Params,
  query: URLSearchParams,
) => Promise<void>;
type Params = Readonly<Record<string, string | undefined>>;

export class LabServer {
  readonly http: Server;
  readonly #parts: LabServerParts;
  readonly #kernels: Kernels;
  readonly #inspectors: Inspectors;
  readonly #contents: Contents;
  readonly #sockets = new Sockets();
  readonly #connections = new Connections();
  readonly #routes = router({
    ignoreTrailingSlash: true,
    maxParamLength: 1000,
    onBadUrl: (_, request, response) =>
      this.#refuse(request, response, new Refusal(400, 'path', 'Cannot read the address: its % signs are wrong')),
    defaultRoute: (request, response) =>
      this.#refuse(
        request,
        response,
        new Refusal(404, 'missing', 'Cannot find this address: the lab has no such page'),
      ),
  });

  constructor(parts: LabServerParts) {
    const { root, patience, inspector: program } = parts;
    this.#parts = parts;
    this.#kernels = new Kernels(root);
    this.#contents = new Contents(root);
    this.#inspectors = new Inspectors({ folder: root.folder, program });
    this.#route();
    this.http = createServer({
      requestTimeout: patience.request,
      headersTimeout: patience.head,
      connectionsCheckingInterval: 1000,
    });
    this.http.setTimeout(IDLE_MS);
    this.http.on('connection', (socket) => this.#connections.opened(socket));
    this.http.on('request', (request, response) => {
      setHeaders(response);
      this.#routes.lookup(request, response);
    });
    this.http.on('upgrade', (request, stream, head) => this.#upgrade(request, stream, head));
    process.on('exit', this.#leaveNothing);
  }

  async close(): Promise<void> {
    process.off('exit', this.#leaveNothing);
    this.#sockets.close();
    const closed = new Promise((resolve) => this.http.close(resolve));
    this.#leaveNothing();
    await this.#kernels.shutdownAll();
    this.http.closeAllConnections();
    await closed;
  }

  /** Kernels end by themselves when this process does, and take their cells with them. */
  readonly #leaveNothing = (): void => {
    this.#inspectors.killAll();
    this.#contents.uploads.removeAll();
  };

  #route(): void {
    const { root } = this.#parts;
    const api = apiRoutes({
      root,
      kernels: this.#kernels,
      contents: this.#contents,
      started: new Date(),
      connections: () => this.#sockets.count,
    });
    for (const [method, path, answer] of api) {
      this.#on(method, path, async (request, response, params, query) => {
        const limit = path.startsWith('/api/contents') ? MAX_BODY : MAX_SMALL_BODY;
        const body = method === 'GET' ? {} : await readBody(request, limit);
        const answered = await answer({ request, params, query, body });
        if (answered.status === 204) sendNothing(response);
        else sendJson(response, answered.status, answered.value);
      });
    }
    this.#on('GET', '/files/*', (request, response, params) => sendFile(root, params['*'] ?? '', request, response));
    this.#on('GET', `/kernelspecs/${KERNEL_NAME}/*`, async (request, response) =>
      below(LOGOS, `/kernelspecs/${KERNEL_NAME}`, request, response),
    );
    this.#on('GET', '/static/*', async (request, response) => below(pageFiles, '/static', request, response));
    this.#open('GET', '/lab', (request, response, _, query) => this.#page(request, response, query));
    this.#open('GET', '/', async (_, response, __, query) => goTo(response, query));
    // As JupyterLab's addresses name a notebook.
    this.#open('GET', '/lab/tree/*', async (_, response, { '*': path = '' }, query) => {
      query.set('notebook', path);
      goTo(response, query);
    });
  }

  /** What only who has shown the token may ask. */
  #on(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, handler: Handler): void {
    this.#open(method, path, async (request, response, params, query) => {
      const { guard } = this.#parts;
      const proof = guard.mustProve(request, query);
      guard.mustIntend(request, query, proof);
      this.#connections.isKnown(request.socket);
      await handler(request, response, params, query);
    });
  }

  /** What anybody may ask who calls us by our name. */
  #open(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, handler: Handler): void {
    const methods = method === 'GET' ? (['GET', 'HEAD'] as const) : ([method] as const);
    this.#routes.on([...methods], path, async (request, response, params) => {
      try {
        this.#parts.guard.mustBeOurs(request);
        await handler(request, response, params, queryOf(request));
      } catch (error) {
        sendError(response, error, this.#parts.log);
      }
    });
  }

  /** The page, to who has shown the token; to who shows it now, the cookie, and an address without it. */
  async #page(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const { guard } = this.#parts;
    const proof = guard.proof(request, query);
    if (!proof) return sendHtml(response, 403, LOGIN);
    this.#connections.isKnown(request.socket);
    response.setHeader('Set-Cookie', guard.cookiesFor(request));
    if (!query.has('token')) return sendHtml(response, 200, (await pageHtml()) ?? NOT_BUILT);
    query.delete('token');
    // A browser that another site led here sends no cookie of ours until a page of ours leads it on.
    if (request.headers['sec-fetch-site'] === 'cross-site') sendHtml(response, 200, onwards(labAddress(query)));
    else goTo(response, query);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    try {
      this.#parts.guard.mustBeOurs(request);
      this.#parts.guard.mustProve(request, queryOf(request));
      sendError(response, refusal, this.#parts.log);
    } catch (error) {
      sendError(response, error, this.#parts.log);
    }
  }

  #upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    stream.on('error', () => stream.destroy());
    try {
      const { guard } = this.#parts;
      const query = queryOf(request);
      guard.mustBeOurs(request);
      guard.mustBePage(request, guard.mustProve(request, query));
      const serve = this.#socketAt(pathOf(request), query);
      this.#connections.isKnown(request.socket);
      this.#sockets.accept(request, stream, head, serve);
    } catch (error) {
      const { status, reason, message } = refusalOf(error, this.#parts.log);
      const body = JSON.stringify({ message, reason });
      const lines = [
        `HTTP/1.1 ${status} Refused`,
        'Connection: close',
        'Content-Type: application/json',
        `Content-Length: ${Buffer.byteLength(body)}`,
      ];
      stream.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
    }
  }

  /** What serves the websocket at a path. Throws Refusal where there is none. */
  #socketAt(path: string, query: URLSearchParams): (socket: WebSocket) => void {
    if (path === INSPECTOR_PATH) {
      this.#inspectors.mustHaveRoom();
      return (socket) => this.#inspectors.serve(socket);
    }
    const [, id] = /^\/api\/kernels\/([^/]+)\/channels$/.exec(path) ?? [];
    if (id === undefined) throw new Refusal(404, 'missing', 'Cannot connect: there is no websocket at this address');
    const kernel = this.#kernels.get(id);
    return (socket) => serveKernel(socket, kernel, query);
  }
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.replace(/\?.*$/s, '');
const queryOf = ({ url = '' }: IncomingMessage): URLSearchParams => new URLSearchParams(/\?(.*)$/s.exec(url)?.[1]);

const labAddress = (query: URLSearchParams): string => (query.size === 0 ? '/lab' : `/lab?${query}`);

function goTo(response: ServerResponse, query: URLSearchParams): void {
  response.writeHead(303, { Location: labAddress(query) }).end();
}

/** Has `serve` answer for what is below a prefix. */
function below(
  serve: ReturnType<typeof sirv>,
  prefix: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  request.url = (request.url ?? '').slice(prefix.length);
  response.removeHeader('Cache-Control'); // What has not changed need not come again.
  serve(request, response);
}
