/** Folders made as needed. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannotWrite } from './whole_file.ts';

/** Makes a folder and those above it, for `path` to be written into. Throws TraceError about `path` where it may not. */
export async function makeFolderFor(path: string): Promise<void> {
  try {
    await makeFolder(dirname(path));
  } catch (cause) {
    throw cannotWrite(path, cause as NodeJS.ErrnoException);
  }
}

/** As mkdir with `recursive`, which in Node 20 never returns where the system refuses with ENOENT, as /proc does. */
async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null);
  if (found || dirname(folder) === folder) return; // What is no folder fails when the file in it is opened.
  await makeFolder(dirname(folder));
  await mkdir(folder);
}
