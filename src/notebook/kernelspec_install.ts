/**
 * Kernelspecs of ours in Jupyter's folders: written, removed and listed without Python. A front end that looks meanwhile
 * finds the old one or the new one whole: folders are made beside Jupyter's folder of kernels and moved in.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotebookError, UsageError } from '../errors.ts';
import { makeFolderFor } from '../node/folder.ts';
import { cannotWrite } from '../node/whole_file.ts';
import { KERNEL_NAME, type Kernelspec, type KernelspecOptions, kernelspec, STRICT_VARIABLE } from './kernelspec.ts';

/** What front ends show beside the name; the names are Jupyter's. */
const ICONS = ['logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg'];
const ASSETS = fileURLToPath(new URL('../../src/notebook/assets/', import.meta.url));

export interface InstallOptions extends KernelspecOptions {
  /** The kernel's folder, by which Jupyter calls it. Default: `layerscope`. */
  readonly name?: string;
  /** Replace a kernelspec of this name that is not ours. */
  readonly force?: boolean;
}

export interface InstalledKernel {
  readonly name: string;
  readonly folder: string;
  readonly displayName: string;
  readonly argv: readonly string[];
}

/**
 * Writes our kernelspec into a folder of kernels, in place of an earlier one of ours.
 *
 * @throws UsageError for a name that Jupyter would not take; NotebookError where another program's kernelspec has that
 * name; TraceError where it may not be written
 */
export async function installKernel(kernels: string, options: InstallOptions = {}): Promise<InstalledKernel> {
  const { name = KERNEL_NAME, force = false } = options;
  checkName(name);
  const folder = join(kernels, name);
  const owner = await ownerOf(folder);
  if (owner === 'others' && !force) {
    throw new NotebookError(
      `Cannot install kernel ${name}: ${folder} was not written by Layerscope; ` +
        'choose another name with --name NAME, or replace it with --force',
      { file: folder },
    );
  }
  const spec = kernelspec(options);
  await makeFolderFor(folder);
  await withSpareFolder(folder, async (spare) => {
    await mkdir(spare);
    await writeFile(join(spare, 'kernel.json'), `${JSON.stringify(spec, null, 1)}\n`);
    for (const icon of ICONS) await copyFile(join(ASSETS, icon), join(spare, icon));
    const old = `${spare}.old`;
    if (owner !== 'nobody') renameSync(folder, old);
    try {
      renameSync(spare, folder);
    } catch (error) {
      if (owner !== 'nobody') renameSync(old, folder);
      throw error;
    }
    rmSync(old, { recursive: true, force: true });
  });
  return { name, folder, displayName: spec.display_name, argv: spec.argv };
}

/**
 * Removes a kernelspec of ours, and gives the folder that is gone.
 *
 * @throws NotebookError where there is none, or it is another program's
 */
export async function uninstallKernel(kernels: string, name: string = KERNEL_NAME): Promise<string> {
  checkName(name);
  const folder = join(kernels, name);
  const owner = await ownerOf(folder);
  if (owner !== 'us') {
    const why = owner === 'nobody' ? 'there is no such kernel' : 'it was not written by Layerscope';
    throw new NotebookError(
      `Cannot uninstall ${folder}: ${why}; "npx layerscope kernel list" shows the kernels of Layerscope`,
      { file: folder },
    );
  }
  await withSpareFolder(folder, async (spare) => renameSync(folder, spare));
  return folder;
}

export interface ListedKernel extends InstalledKernel {
  /** The version of Layerscope that wrote it. */
  readonly version: string;
  readonly isStrict: boolean;
  /** Paths that it names and that are gone: it cannot start. */
  readonly missing: readonly string[];
}

/** Our kernels in these folders, in their order. */
export async function listKernels(folders: readonly string[]): Promise<ListedKernel[]> {
  const found: ListedKernel[] = [];
  for (const kernels of folders) {
    const names = await readdir(kernels).catch(() => []); // Most of the folders are not there.
    for (const name of names.sort()) {
      const folder = join(kernels, name);
      const spec = await readSpec(folder);
      const version = spec && versionOf(spec);
      if (!spec || version === undefined) continue;
      const { display_name: displayName, argv, env } = spec;
      const isStrict = env?.[STRICT_VARIABLE] === '1';
      const missing = argv.slice(0, 2).filter((path) => !existsSync(path));
      found.push({ name, folder, displayName, argv, version, isStrict, missing });
    }
  }
  return found;
}

/** As Jupyter's own rule, but in lower case alone: it lowers the case of what it looks for. */
function checkName(name: string): void {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name)) return;
  throw new UsageError(
    `Cannot use ${JSON.stringify(name)} as a kernel's name: it must be of lower-case letters, digits, - . and _`,
  );
}

async function ownerOf(folder: string): Promise<'us' | 'others' | 'nobody'> {
  if ((await lstat(folder).catch(() => null)) === null) return 'nobody';
  const spec = await readSpec(folder);
  return spec && versionOf(spec) !== undefined ? 'us' : 'others';
}

/** What kernel.json says; undefined where there is none that can be read. */
async function readSpec(folder: string): Promise<Kernelspec | undefined> {
  try {
    const spec = JSON.parse(await readFile(join(folder, 'kernel.json'), 'utf8'));
    return Array.isArray(spec?.argv) ? spec : undefined;
  } catch {
    return undefined;
  }
}

/** The mark that we leave; undefined in a kernelspec of another program. */
function versionOf({ metadata }: Kernelspec): string | undefined {
  const { layerscope } = (metadata ?? {}) as { layerscope?: { version?: unknown } };
  return typeof layerscope?.version === 'string' ? layerscope.version : undefined;
}

/**
 * Gives the path of a folder to be made or moved to, out of Jupyter's sight and on the same disk as `folder`. What is there
 * at the end goes, by an error and by process.exit() too.
 */
async function withSpareFolder(folder: string, work: (spare: string) => Promise<void>): Promise<void> {
  const spare = join(dirname(dirname(folder)), `.layerscope-kernel.${randomBytes(4).toString('hex')}.partial`);
  const remove = () => rmSync(spare, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    await work(spare);
  } catch (cause) {
    throw cannotWrite(folder, cause as NodeJS.ErrnoException);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
