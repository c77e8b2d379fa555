/**
 * Jupyter's REST API, as far as `@jupyterlab/services` asks for it (jupyter-server.readthedocs.io, "REST API"): each line of
 * `routes` is one of its calls.
 */
import type { IncomingMessage } from 'node:http';
import { basename } from 'node:path';
import { KERNEL_NAME, kernelspec } from '../../notebook/kernelspec.ts';
import { version } from '../../version.ts';
import type { Contents } from './contents.ts';
import type { Kernels } from './kernels.ts';
import { Refusal } from './refusal.ts';
import type { Root } from './root.ts';

type Body = Readonly<Record<string, unknown>>;

/** A request that is allowed, with its body read. */
export interface Call {
  readonly request: IncomingMessage;
  /** The parts of the path that the route leaves open, decoded; '' where there are none. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
  readonly body: Body;
}

/** Status 204 has no value. */
export type Answer = { readonly status: 200 | 201; readonly value: unknown } | { readonly status: 204 };

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export type Route = readonly [method: Method, path: string, answer: (call: Call) => Answer | Promise<Answer>];

export interface ApiParts {
  readonly root: Root;
  readonly contents: Contents;
  readonly kernels: Kernels;
  readonly started: Date;
  /** Websockets that are open. */
  connections(): number;
}

const ok = (value: unknown): Answer => ({ status: 200, value });
const made = (value: unknown): Answer => ({ status: 201, value });
const done: Answer = { status: 204 };

/** The version of Jupyter's server whose API this is. */
const JUPYTER_SERVER = '2.14.0';

export function apiRoutes(parts: ApiParts): Route[] {
  return [...serverRoutes(parts), ...contentsRoutes(parts), ...kernelRoutes(parts), ...sessionRoutes(parts)];
}

function serverRoutes({ root, kernels, started, connections }: ApiParts): Route[] {
  const user = { username: 'lab', name: 'lab', display_name: 'lab', initials: 'L', avatar_url: null, color: null };
  const spec = { name: KERNEL_NAME, spec: kernelspec(), resources: LOGOS };
  return [
    ['GET', '/api', () => ok({ version: JUPYTER_SERVER })],
    [
      'GET',
      '/api/status',
      () =>
        ok({
          started: started.toISOString(),
          last_activity: kernels.models.map((model) => model.last_activity).reduce(later, started.toISOString()),
          kernels: kernels.models.length,
          connections: connections(),
          layerscope: { version, folder: basename(root.folder) },
        }),
    ],
    ['GET', '/api/me', () => ok({ identity: user, permissions: {} })],
    ['GET', '/api/kernelspecs', () => ok({ default: KERNEL_NAME, kernelspecs: { [KERNEL_NAME]: spec } })],
    ['GET', `/api/kernelspecs/${KERNEL_NAME}`, () => ok(spec)],
    ['GET', '/api/terminals', () => ok([])],
    ['POST', '/api/terminals', () => refuseTerminals()],
  ];
}

const LOGOS = Object.fromEntries(
  ['logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg'].map((file) => [
    file.replace(/\.\w+$/, ''),
    `/kernelspecs/${KERNEL_NAME}/${file}`,
  ]),
);

const later = (a: string, b: string): string => (a > b ? a : b);

function refuseTerminals(): never {
  throw new Refusal(501, 'unsupported', 'Cannot open a terminal: the lab has none; use one of your system');
}

function contentsRoutes({ contents }: ApiParts): Route[] {
  const all = (method: Method, answer: Route[2]): Route[] => [
    [method, '/api/contents', answer],
    [method, '/api/contents/*', answer],
  ];
  return [
    ...all('GET', async (call) => {
      const { path, checkpoint } = placeOf(call);
      if (checkpoint !== undefined) return ok(await contents.checkpoints(path));
      const [type, format] = ['type', 'format'].map((name) => call.query.get(name) ?? undefined);
      const [content, hash] = [call.query.get('content') !== '0', call.query.get('hash') === '1'];
      return ok(await contents.get(path, { content, hash, type, format }));
    }),
    ...all('PUT', async (call) => {
      const { model, isNew } = await contents.save(placeOf(call).path, call.body);
      return isNew ? made(model) : ok(model);
    }),
    ...all('POST', async (call) => {
      const { path, checkpoint } = placeOf(call);
      if (checkpoint === '') return made(await contents.createCheckpoint(path));
      if (checkpoint !== undefined) {
        await contents.restoreCheckpoint(path, checkpoint);
        return done;
      }
      const { copy_from: from, type, ext } = call.body;
      if (typeof from === 'string') return made(await contents.copy(from, path));
      return made(await contents.create(path, newType(type), typeof ext === 'string' ? ext : ''));
    }),
    ...all('PATCH', async (call) => {
      const { path: to } = call.body;
      if (typeof to !== 'string')
        throw new Refusal(400, 'malformed', 'Cannot rename: no new path was given; reload the page');
      return ok(await contents.rename(placeOf(call).path, to));
    }),
    ...all('DELETE', async (call) => {
      const { path, checkpoint } = placeOf(call);
      if (checkpoint === undefined) await contents.delete(path);
      else await contents.deleteCheckpoint(path, checkpoint);
      return done;
    }),
  ];
}

/** Which file, and, after `/checkpoints`, which checkpoint of it: '' for all. */
function placeOf({ params }: Call): { path: string; checkpoint: string | undefined } {
  const [, path = '', checkpoint] = /^(.*?)(?:\/checkpoints(?:\/([^/]+))?)?$/s.exec(params['*'] ?? '') ?? [];
  const isCheckpoint = path !== (params['*'] ?? '');
  return { path, checkpoint: isCheckpoint ? (checkpoint ?? '') : undefined };
}

function newType(type: unknown): 'directory' | 'notebook' | 'file' {
  if (type === undefined || type === 'file') return 'file';
  if (type === 'directory' || type === 'notebook') return type;
  throw new Refusal(400, 'malformed', `Cannot make a ${JSON.stringify(type)}: types are notebook, file and directory`);
}

function kernelRoutes({ kernels }: ApiParts): Route[] {
  const idOf = ({ params }: Call): string => params.id ?? '';
  return [
    ['GET', '/api/kernels', () => ok(kernels.models)],
    ['POST', '/api/kernels', async ({ body }) => made((await kernels.start(body)).model)],
    ['GET', '/api/kernels/:id', (call) => ok(kernels.get(idOf(call)).model)],
    [
      'DELETE',
      '/api/kernels/:id',
      async (call) => {
        await kernels.shutdown(idOf(call));
        return done;
      },
    ],
    [
      'POST',
      '/api/kernels/:id/interrupt',
      (call) => {
        kernels.get(idOf(call)).interrupt();
        return done;
      },
    ],
    [
      'POST',
      '/api/kernels/:id/restart',
      async (call) => {
        const kernel = kernels.get(idOf(call));
        await kernel.restart();
        return ok(kernel.model);
      },
    ],
  ];
}

function sessionRoutes({ kernels }: ApiParts): Route[] {
  const idOf = ({ params }: Call): string => params.id ?? '';
  return [
    ['GET', '/api/sessions', () => ok(kernels.sessions)],
    ['POST', '/api/sessions', async ({ body }) => made(await kernels.openSession(body))],
    ['GET', '/api/sessions/:id', (call) => ok(kernels.session(idOf(call)))],
    ['PATCH', '/api/sessions/:id', async (call) => ok(await kernels.changeSession(idOf(call), call.body))],
    [
      'DELETE',
      '/api/sessions/:id',
      async (call) => {
        await kernels.closeSession(idOf(call));
        return done;
      },
    ],
  ];
}
