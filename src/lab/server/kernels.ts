/** The kernels of the lab, and the sessions: which notebook has which kernel (jupyter-server.readthedocs.io, "Sessions API"). */
import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DISPLAY_NAME, KERNEL_NAME } from '../../notebook/kernelspec.ts';
import { type KernelModel, LabKernel } from './kernel.ts';
import { Refusal } from './refusal.ts';
import type { Root } from './root.ts';

/** Each is two processes, of 200 MB and more. */
const MAX_KERNELS = 24;

interface Session {
  readonly id: string;
  path: string;
  name: string;
  type: string;
  kernel: LabKernel;
}

/** A session as the API tells of it; `notebook` is for older clients. */
export interface SessionModel {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly kernel: KernelModel;
  readonly notebook: { readonly path: string; readonly name: string };
}

type Body = Readonly<Record<string, unknown>>;

export class Kernels {
  readonly #root: Root;
  readonly #kernels = new Map<string, LabKernel>();
  readonly #sessions = new Map<string, Session>();

  constructor(root: Root) {
    this.#root = root;
  }

  get models(): KernelModel[] {
    return [...this.#kernels.values()].map(({ model }) => model);
  }

  /** Throws Refusal where there is none. */
  get(id: string): LabKernel {
    const kernel = this.#kernels.get(id);
    if (kernel) return kernel;
    throw new Refusal(
      404,
      'missing',
      `Cannot find kernel ${id}: it was shut down, or the server was started again; start a kernel`,
    );
  }

  /** A kernel in the folder of the notebook that `path` names. Throws Refusal. */
  async start({ name, path }: Body): Promise<LabKernel> {
    if (name !== undefined && name !== null && name !== KERNEL_NAME) {
      throw new Refusal(
        501,
        'unsupported',
        `Cannot start kernel ${JSON.stringify(name)}: this lab has "${KERNEL_NAME}" alone; choose ${DISPLAY_NAME}`,
      );
    }
    const cwd = await this.#folderOf(typeof path === 'string' ? path : '');
    if (this.#kernels.size >= MAX_KERNELS) {
      throw new Refusal(503, 'too-many', `Cannot start another kernel: ${MAX_KERNELS} run; shut some down`);
    }
    const kernel = new LabKernel(cwd);
    this.#kernels.set(kernel.id, kernel);
    return kernel;
  }

  async shutdown(id: string): Promise<void> {
    const kernel = this.get(id);
    this.#kernels.delete(id);
    for (const session of this.#sessions.values()) if (session.kernel === kernel) this.#sessions.delete(session.id);
    await kernel.shutdown();
  }

  async shutdownAll(): Promise<void> {
    await Promise.all([...this.#kernels.keys()].map((id) => this.shutdown(id)));
  }

  get sessions(): SessionModel[] {
    return [...this.#sessions.values()].map(modelOf);
  }

  session(id: string): SessionModel {
    return modelOf(this.#session(id));
  }

  /** The session of a notebook; two pages that open one notebook share it. A kernel of it that is dead starts again. */
  async openSession(body: Body): Promise<SessionModel> {
    const { path, name, type } = body;
    if (typeof path !== 'string' || path === '') {
      throw new Refusal(400, 'malformed', 'Cannot open a session: it has no path; reload the page');
    }
    const named = (): Session | undefined => [...this.#sessions.values()].find((session) => session.path === path);
    const found = named();
    if (found) {
      if (found.kernel.model.execution_state === 'dead') await found.kernel.restart();
      return modelOf(found);
    }
    const kernel = await this.#kernelFor(body, path);
    // Another page may have been quicker.
    const other = named();
    if (other) {
      if (other.kernel !== kernel) await this.shutdown(kernel.id);
      return modelOf(other);
    }
    const session = { id: randomUUID(), path, name: text(name, ''), type: text(type, 'notebook'), kernel };
    this.#sessions.set(session.id, session);
    return modelOf(session);
  }

  /** Gives it another path, name, type or kernel; a kernel that no session has any more ends. */
  async changeSession(id: string, body: Body): Promise<SessionModel> {
    const session = this.#session(id);
    const before = session.kernel;
    if (typeof body.kernel === 'object' && body.kernel !== null)
      session.kernel = await this.#kernelFor(body, session.path);
    session.path = text(body.path, session.path);
    session.name = text(body.name, session.name);
    session.type = text(body.type, session.type);
    const isLeft = [...this.#sessions.values()].every(({ kernel }) => kernel !== before);
    if (isLeft && this.#kernels.has(before.id)) await this.shutdown(before.id);
    return modelOf(session);
  }

  async closeSession(id: string): Promise<void> {
    const { kernel } = this.#session(id);
    this.#sessions.delete(id);
    const isShared = [...this.#sessions.values()].some((session) => session.kernel === kernel);
    if (!isShared && this.#kernels.has(kernel.id)) await this.shutdown(kernel.id);
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session) return session;
    throw new Refusal(
      404,
      'missing',
      `Cannot find session ${id}: it was closed, or the server was started again; open the notebook again`,
    );
  }

  /** The running kernel that a body names, or a new one. */
  async #kernelFor({ kernel }: Body, path: string): Promise<LabKernel> {
    const { id, name } = (kernel ?? {}) as Body;
    return typeof id === 'string' ? this.get(id) : this.start({ name, path });
  }

  async #folderOf(path: string): Promise<string> {
    const { file } = await this.#root.locate(path);
    if (await isFolder(file)) return file;
    const folder = dirname(file);
    if (await isFolder(folder)) return folder;
    throw new Refusal(
      404,
      'missing',
      `Cannot start a kernel for ${path}: its folder is gone; reload the list of files`,
    );
  }
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

function modelOf({ id, path, name, type, kernel }: Session): SessionModel {
  return { id, path, name, type, kernel: kernel.model, notebook: { path, name } };
}
