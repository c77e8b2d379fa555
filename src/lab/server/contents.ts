/**
 * The files of the lab's folder, as Jupyter's contents API has them (jupyter-server.readthedocs.io, "Contents API"). What is
 * saved appears whole or not at all; what another program has changed meanwhile is not written over unasked.
 */
import { createHash } from 'node:crypto';
import { constants, createReadStream, type Stats } from 'node:fs';
import {
  access,
  chmod,
  copyFile,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LayerscopeError } from '../../errors.ts';
import { writeWholeFile } from '../../node/whole_file.ts';
import { notebookText } from '../../notebook/ipynb/write.ts';
import { InTurn } from './in_turn.ts';
import { mediaType } from './media_types.ts';
import { notebookFile, notebookFrom } from './notebook_json.ts';
import { Refusal, systemRefusal } from './refusal.ts';
import { isNameable, type Located, names, type Root, stemOf } from './root.ts';
import { Uploads } from './uploads.ts';

type ContentType = 'directory' | 'notebook' | 'file';
type Format = 'json' | 'text' | 'base64';

/** A file or folder as the API tells of it. */
export interface ContentModel {
  readonly name: string;
  readonly path: string;
  readonly type: ContentType;
  readonly writable: boolean;
  /** ISO 8601. */
  readonly created: string;
  readonly last_modified: string;
  /** Bytes; null for a folder. */
  readonly size: number | null;
  readonly mimetype: string | null;
  readonly format: Format | null;
  readonly content: unknown;
  /** SHA-256 of the bytes, where it was asked for. */
  readonly hash: string | null;
  readonly hash_algorithm: 'sha256' | null;
}

export interface GetOptions {
  readonly content: boolean;
  readonly hash: boolean;
  /** What the file must be; undefined leaves it to its name. */
  readonly type?: string | undefined;
  readonly format?: string | undefined;
}

/** The body of a save. */
export interface Saved {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly content?: unknown;
  /** The hash that the page read: where the file has another by now, it is left alone. */
  readonly hash?: unknown;
  /** The number of a piece of a large file (uploads.ts); undefined where this is all of it. */
  readonly chunk?: unknown;
}

/** A larger file is for `/files`, by ranges. Bytes. */
const MAX_CONTENT = 200e6;

const CHECKPOINT = { id: 'checkpoint' } as const;
const CHECKPOINTS = '.ipynb_checkpoints';

export class Contents {
  readonly #root: Root;
  /** What is written to one path is written one after another. */
  readonly #writes = new InTurn();
  readonly uploads = new Uploads();

  constructor(root: Root) {
    this.#root = root;
  }

  async get(path: string, { content, hash, type, format }: GetOptions): Promise<ContentModel> {
    const place = await this.#root.locate(path);
    return told(`open ${shown(place)}`, async () => {
      const model = await this.#model(place);
      mustBe(type, model, place);
      const bytes = !content || model.type === 'directory' ? null : await contentOf(place);
      const hashed = hash && model.type !== 'directory' ? await hashOf(place.file, model.size, bytes) : NO_HASH;
      if (!content) return { ...model, ...hashed };
      if (bytes === null) return { ...model, format: 'json', content: await this.#list(place) };
      return { ...model, ...hashed, ...read(bytes, place, model.type === 'notebook' && type !== 'file', format) };
    });
  }

  /** Writes a file, or makes a folder. `isNew` where nothing was there. */
  async save(path: string, saved: Saved): Promise<{ readonly model: ContentModel; readonly isNew: boolean }> {
    const place = await this.#root.locate(path);
    return this.#writes.run(place.file, () =>
      told(`save ${shown(place)}`, async () => {
        const before = await stat(place.file).catch(() => null);
        if (typeof saved.chunk === 'number') {
          const file = await this.uploads.take(place.file, shown(place), saved.chunk, bytesOf(saved, place));
          return { model: await this.#model({ ...place, file }), isNew: before === null };
        }
        if (saved.type === 'directory') {
          if (!before?.isDirectory()) await mkdir(place.file);
        } else {
          await mustBeUnchanged(place, before, saved.hash);
          await write(place, bytesOf(saved, place), before);
        }
        const model = await this.#model(place);
        const hashed = model.type === 'directory' ? NO_HASH : await hashOf(place.file, model.size, null);
        return { model: { ...model, ...hashed }, isNew: before === null };
      }),
    );
  }

  /** An empty file, notebook or folder under a name that is free. `extension` begins with a dot. */
  async create(folder: string, type: ContentType, extension = ''): Promise<ContentModel> {
    if (type === 'directory') {
      const made = await this.#underFreeName(
        folder,
        'Untitled Folder',
        (stem, _, n) => `${stem} ${n}`,
        (file) => mkdir(file),
      );
      return this.#model(made);
    }
    const [name, text] =
      type === 'notebook'
        ? ['Untitled.ipynb', notebookText({ metadata: {}, cells: [] })]
        : [`untitled${extension}`, ''];
    const put = async (file: string) => {
      const handle = await open(file, 'wx');
      await handle.writeFile(text).finally(() => handle.close());
    };
    return this.#model(await this.#underFreeName(folder, name, (stem, end, n) => `${stem}${n}${end}`, put));
  }

  /** A copy of `from` in a folder, under a name that is free. */
  async copy(from: string, folder: string): Promise<ContentModel> {
    const source = await this.#root.locate(from);
    return told(`copy ${shown(source)}`, async () => {
      if ((await stat(source.file)).isDirectory()) {
        throw new Refusal(400, 'unsupported', `Cannot copy ${shown(source)}: it is a folder; copy its files`);
      }
      const put = (file: string) => copyFile(source.file, file, constants.COPYFILE_EXCL);
      const name = (stem: string, extension: string, n: number) => `${stem}-Copy${n}${extension}`;
      return this.#model(await this.#underFreeName(folder, source.name, name, put));
    });
  }

  async rename(path: string, to: string): Promise<ContentModel> {
    const [place, target] = [await this.#root.locate(path), await this.#root.locate(to)];
    mustNotBeRoot(place, 'rename');
    mustNotBeRoot(target, 'rename');
    return this.#writes.run(place.file, () =>
      told(`rename ${shown(place)} to ${shown(target)}`, async () => {
        await lstat(place.file);
        // On disks that take no notice of case, a name in another case is there already and is this very file.
        const isSame = place.file.toLowerCase() === target.file.toLowerCase();
        if (!isSame && (await lstat(target.file).catch(() => null))) {
          throw new Refusal(
            409,
            'exists',
            `Cannot rename ${shown(place)}: ${shown(target)} is there already; choose another name`,
          );
        }
        await rename(place.file, target.file);
        await rename(await this.#checkpointFile(place), await this.#checkpointFile(target)).catch(() => {}); // Most have none.
        return this.#model(target);
      }),
    );
  }

  async delete(path: string): Promise<void> {
    const place = await this.#root.locate(path);
    mustNotBeRoot(place, 'delete');
    await this.#writes.run(place.file, () =>
      told(`delete ${shown(place)}`, async () => {
        // A link goes, and not what it leads to. What a folder holds is not deleted with it: no more is lost than was seen.
        if ((await lstat(place.file)).isDirectory()) await deleteFolder(place.file);
        else await rm(place.file);
        await rm(await this.#checkpointFile(place), { force: true });
      }),
    );
  }

  async checkpoints(path: string): Promise<readonly Checkpoint[]> {
    const place = await this.#root.locate(path);
    const found = await stat(await this.#checkpointFile(place)).catch(() => null);
    return found ? [{ ...CHECKPOINT, last_modified: found.mtime.toISOString() }] : [];
  }

  async createCheckpoint(path: string): Promise<Checkpoint> {
    const place = await this.#root.locate(path);
    return told(`keep a checkpoint of ${shown(place)}`, async () => {
      const file = await this.#checkpointFile(place);
      await mkdir(dirname(file), { recursive: true });
      const bytes = await readFile(place.file);
      await writeWholeFile(file, (write) => write(bytes));
      return { ...CHECKPOINT, last_modified: (await stat(file)).mtime.toISOString() };
    });
  }

  async restoreCheckpoint(path: string, id: string): Promise<void> {
    const place = await this.#checkpointed(path, id);
    await this.#writes.run(place.file, () =>
      told(`restore ${shown(place)}`, async () => {
        const bytes = await readFile(await this.#checkpointFile(place));
        await write(place, bytes, await stat(place.file).catch(() => null));
      }),
    );
  }

  async deleteCheckpoint(path: string, id: string): Promise<void> {
    const place = await this.#checkpointed(path, id);
    await told(`delete the checkpoint of ${shown(place)}`, async () => rm(await this.#checkpointFile(place)));
  }

  async #checkpointed(path: string, id: string): Promise<Located> {
    const place = await this.#root.locate(path);
    if (id === CHECKPOINT.id) return place;
    throw new Refusal(
      404,
      'missing',
      `Cannot find checkpoint ${JSON.stringify(id)} of ${shown(place)}: there is only "${CHECKPOINT.id}"`,
    );
  }

  /** Where Jupyter keeps it too. */
  #checkpointFile(place: Located): Promise<string> {
    const { stem, extension } = stemOf(place.name);
    return this.#root.beside(place, CHECKPOINTS, `${stem}-checkpoint${extension}`);
  }

  async #model(place: Located): Promise<ContentModel> {
    const found = await stat(place.file);
    const type = found.isDirectory() ? 'directory' : place.name.endsWith('.ipynb') ? 'notebook' : 'file';
    return {
      name: place.name,
      path: place.path,
      type,
      writable: await isWritable(place.file, type),
      created: found.birthtime.toISOString(),
      last_modified: found.mtime.toISOString(),
      size: type === 'directory' ? null : found.size,
      mimetype: type === 'file' ? mediaType(place.name) : null,
      format: null,
      content: null,
      ...NO_HASH,
    };
  }

  /** What is in a folder and may be opened: no hidden names, no links that lead out, no devices. */
  async #list(folder: Located): Promise<ContentModel[]> {
    const entries = (await readdir(folder.file)).filter(isNameable).sort();
    const models = await Promise.all(
      entries.map(async (name) => {
        try {
          return await this.#model(await this.#root.locate(folder.path === '' ? name : `${folder.path}/${name}`));
        } catch {
          return null; // Gone by now, or leads out: neither can be opened.
        }
      }),
    );
    return models.filter((model) => model !== null);
  }

  /** Tries names until `put`, which must not replace anything, takes one. */
  async #underFreeName(
    folder: string,
    first: string,
    numbered: (stem: string, extension: string, n: number) => string,
    put: (file: string) => Promise<unknown>,
  ): Promise<Located> {
    const parent = await this.#root.locate(folder);
    return told(`make ${first} in ${shown(parent)}`, async () => {
      for (const name of names(first, numbered)) {
        const place = await this.#root.locate(parent.path === '' ? name : `${parent.path}/${name}`);
        try {
          await put(place.file);
          return place;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
      }
      throw new Error('names never end');
    });
  }
}

export interface Checkpoint {
  readonly id: string;
  readonly last_modified: string;
}

const NO_HASH = { hash: null, hash_algorithm: null } as const;

/** What a message calls it. */
const shown = ({ path }: Located): string => path || "the lab's folder";

/** What the system says of `what` in our words. */
async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw systemRefusal(what, cause);
  }
}

function mustNotBeRoot({ path }: Located, verb: string): void {
  if (path === '') throw new Refusal(400, 'path', `Cannot ${verb} the lab's folder itself: choose what is in it`);
}

function mustBe(type: string | undefined, model: ContentModel, place: Located): void {
  if (type === undefined) return;
  if ((type === 'directory') === (model.type === 'directory')) return;
  const found = model.type === 'directory' ? 'a folder' : 'a file';
  throw new Refusal(
    400,
    'malformed',
    `Cannot open ${shown(place)} as a ${type}: it is ${found}; reload the list of files`,
  );
}

async function contentOf(place: Located): Promise<Buffer> {
  const found = await stat(place.file);
  if (!found.isFile()) throw new Refusal(400, 'unsupported', `Cannot open ${shown(place)}: it is a device or a pipe`);
  if (found.size > MAX_CONTENT) {
    throw new Refusal(
      413,
      'too-large',
      `Cannot open ${shown(place)}: it has ${Math.round(found.size / 1e6)} MB, of at most ${MAX_CONTENT / 1e6} that a page takes whole; ` +
        'open a model or a trace in the inspector, which reads what it needs',
    );
  }
  return readFile(place.file);
}

/** The file's bytes as the page asked for them: JSON of a notebook, text, or base64. */
function read(bytes: Buffer, place: Located, isNotebook: boolean, format: string | undefined): Partial<ContentModel> {
  if (isNotebook) return { format: 'json', content: readNotebook(bytes, place) };
  const text = format === 'base64' ? undefined : utf8(bytes);
  if (text !== undefined) return { format: 'text', content: text, mimetype: mediaType(place.name) ?? 'text/plain' };
  if (format === 'text') {
    throw new Refusal(400, 'unreadable', `Cannot open ${shown(place)} as text: it is not UTF-8; download it instead`);
  }
  return {
    format: 'base64',
    content: bytes.toString('base64'),
    mimetype: mediaType(place.name) ?? 'application/octet-stream',
  };
}

function readNotebook(bytes: Buffer, place: Located): unknown {
  const text = utf8(bytes);
  if (text === undefined) {
    throw new Refusal(400, 'unreadable', `Cannot open ${shown(place)}: it is not UTF-8 text, so no notebook`);
  }
  try {
    return notebookFrom(text, shown(place));
  } catch (cause) {
    if (cause instanceof LayerscopeError) throw new Refusal(400, 'unreadable', cause.message, { cause });
    throw cause;
  }
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function bytesOf({ type, format, content }: Saved, place: Located): Buffer {
  const malformed = (found: string) =>
    new Refusal(400, 'malformed', `Cannot save ${shown(place)}: ${found}; reload the page`);
  if (type === 'notebook') return Buffer.from(notebookFile(content, shown(place)));
  if (type !== 'file') throw malformed(`its type is ${JSON.stringify(type)}, of notebook, file and directory`);
  if (typeof content !== 'string') throw malformed('its content is no text');
  if (format === 'text') return Buffer.from(content);
  if (format !== 'base64') throw malformed(`its format is ${JSON.stringify(format)}, of text and base64`);
  const bytes = Buffer.from(content, 'base64');
  if (bytes.length !== Math.floor((content.replace(/[\s=]/g, '').length * 3) / 4))
    throw malformed('its content is no base64');
  return bytes;
}

/** A file that the page has not seen as it is now would be lost. */
async function mustBeUnchanged(place: Located, before: Stats | null, wanted: unknown): Promise<void> {
  if (before?.isDirectory()) {
    throw new Refusal(409, 'exists', `Cannot save ${shown(place)}: a folder has that name; choose another`);
  }
  if (typeof wanted !== 'string' || before === null) return;
  const { hash } = await hashOf(place.file, before.size, null);
  if (hash === wanted) return;
  throw new Refusal(
    409,
    'changed',
    `Cannot save ${shown(place)}: it was changed by another program or another tab since it was opened; ` +
      'reload it, or save under another name',
  );
}

/** Writes the bytes beside the file, and puts them in its place with its permissions. */
async function write({ file }: Located, bytes: Buffer, before: Stats | null): Promise<void> {
  // A rename asks no leave of the file that it replaces.
  if (before) await access(file, constants.W_OK);
  await writeWholeFile(file, (write) => write(bytes));
  if (before) await chmod(file, before.mode & 0o7777);
}

/** A file is written beside itself and then put in its own place: its folder has to take that. */
async function isWritable(file: string, type: ContentType): Promise<boolean> {
  const wanted = type === 'directory' ? [file] : [file, dirname(file)];
  const found = await Promise.allSettled(wanted.map((path) => access(path, constants.W_OK)));
  return found.every(({ status }) => status === 'fulfilled');
}

/** Goes with the checkpoints that lie in it, and with nothing else. */
async function deleteFolder(folder: string): Promise<void> {
  const held = await readdir(folder);
  if (held.every((name) => name === CHECKPOINTS)) await rm(join(folder, CHECKPOINTS), { recursive: true, force: true });
  await rmdir(folder);
}

/** A file too large to be read whole is known by its date and size. */
async function hashOf(
  file: string,
  size: number | null,
  bytes: Buffer | null,
): Promise<Pick<ContentModel, 'hash' | 'hash_algorithm'>> {
  if (size !== null && size > MAX_CONTENT) return NO_HASH;
  const hash = createHash('sha256');
  if (bytes) hash.update(bytes);
  else for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return { hash: hash.digest('hex'), hash_algorithm: 'sha256' };
}
