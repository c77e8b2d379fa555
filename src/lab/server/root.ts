/**
 * The lab's folder, and what in it a path of the API names. Nothing outside it is read or written, whatever the spelling:
 * a path is taken apart once, each part is looked at, and where links lead is asked of the system.
 */
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { LayerscopeError } from '../../errors.ts';
import { Refusal, systemRefusal } from './refusal.ts';

/** A file or folder of the lab, which need not be there yet. */
export interface Located {
  /** From the lab's folder, with `/` between names; empty for the folder itself. */
  readonly path: string;
  readonly name: string;
  /** On this machine. */
  readonly file: string;
}

export class Root {
  /** Without links in it. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Throws LayerscopeError where there is no such folder. */
  static async open(folder: string): Promise<Root> {
    const real = await realpath(folder).catch(() => undefined);
    if (real !== undefined && (await lstat(real)).isDirectory()) return new Root(real);
    const found = real === undefined ? 'there is no such folder' : 'it is a file';
    throw new LayerscopeError(`Cannot open the lab on ${folder}: ${found}; give the path of a folder`, {
      file: folder,
    });
  }

  /** What `path`, already decoded, names. Throws Refusal where that is not of this folder, or is hidden. */
  async locate(path: string): Promise<Located> {
    const names = namesIn(path);
    const file = join(this.folder, ...names);
    await this.#mustLeadInside(file, path);
    return { path: names.join('/'), name: names.at(-1) ?? '', file };
  }

  /** A file of our own in the folder of `place`, hidden names allowed: the same care, as a link may bear any name. */
  async beside({ path, file }: Located, ...names: readonly string[]): Promise<string> {
    const companion = join(dirname(file), ...names);
    await this.#mustLeadInside(companion, path);
    return companion;
  }

  /** Whether a real path is in this folder. */
  holds(real: string): boolean {
    const way = relative(this.folder, real);
    return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  }

  /** What is there, or the nearest folder above it, must be inside when all links are followed. */
  async #mustLeadInside(file: string, path: string): Promise<void> {
    for (let place = file; ; place = dirname(place)) {
      let real: string;
      try {
        real = await realpath(place);
      } catch (cause) {
        // A link to nothing would be followed by whoever writes there.
        if (await isLink(place)) throw outside(path);
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && place !== this.folder) continue;
        throw systemRefusal(`open ${path || 'the lab'}`, cause);
      }
      if (this.holds(real)) return;
      throw outside(path);
    }
  }
}

const isLink = (file: string): Promise<boolean> =>
  lstat(file).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );

const outside = (path: string): Refusal =>
  new Refusal(
    403,
    'path',
    `Cannot open ${path}: it is a link that leads out of the lab's folder; copy what it leads to`,
  );

/**
 * The names in a path of the API. Throws Refusal for what could leave the folder on some system, and for hidden names, of
 * which it says no more than that they are not there.
 */
export function namesIn(path: string, platform: NodeJS.Platform = process.platform): string[] {
  const names = path.replace(/^\/|\/$/g, '').split('/');
  if (names.length === 1 && names[0] === '') return [];
  for (const name of names) {
    const why = whyNoName(name, platform);
    if (why)
      throw new Refusal(
        400,
        'path',
        `Cannot open ${JSON.stringify(path)}: ${why}; give a path within the lab's folder`,
      );
    if (isHidden(name)) throw new Refusal(404, 'missing', `Cannot open ${path}: there is no such file or folder`);
  }
  return names;
}

/** Files that no list shows: those with a dot in front, and those that are being written (src/node/whole_file.ts). */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || /\.[0-9a-f]{8}\.partial$/.test(name);
}

/** Whether a name found on disk can be asked for. */
export function isNameable(name: string): boolean {
  return !isHidden(name) && whyNoName(name, process.platform) === undefined;
}

/** Windows gives devices for these, with any extension. */
const DEVICES = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i;

function whyNoName(name: string, platform: NodeJS.Platform): string | undefined {
  if (name === '') return 'it has two slashes in a row';
  if (name === '.' || name === '..') return `"${name}" leads elsewhere`;
  if (name.includes('\0')) return 'it holds a NUL';
  if (name.includes('\\')) return 'it holds a backslash, which parts folders on Windows';
  if (platform !== 'win32') return undefined;
  if (/[<>:"|?*]/.test(name)) return 'on Windows a name holds none of < > : " | ? *';
  if (/[. ]$/.test(name)) return 'on Windows no name ends in a dot or a space';
  if (DEVICES.test(name)) return `on Windows "${name}" is a device`;
  return undefined;
}

/** A name that is free in a folder: `a.ipynb`, else with the numbers that `numbered` puts in. */
export function* names(
  first: string,
  numbered: (stem: string, extension: string, n: number) => string,
): Generator<string> {
  yield first;
  const { stem, extension } = stemOf(first);
  for (let n = 1; ; n++) yield numbered(stem, extension, n);
}

/** `a.b.ipynb` is `a.b` and `.ipynb`. */
export function stemOf(name: string): { stem: string; extension: string } {
  const extension = /(?<=.)\.[^.]+$/.exec(name)?.[0] ?? '';
  return { stem: basename(name, extension), extension };
}
