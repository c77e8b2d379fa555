/** Files that a command writes beside what it prints: what stands in the way is found before the work, not after. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { makeFolderFor } from '../node/folder.ts';
import { cannotWrite, writableTarget, writeWholeFile } from '../node/whole_file.ts';

export interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
}

/** Makes the folder of `path`. Throws TraceError where `path` could not be written. */
export async function mustBeWritable(path: string): Promise<void> {
  await makeFolderFor(path);
  await writableTarget(path);
  const folder = `${dirname(path)}${sep}`; // With a separator, so that a file is no folder.
  await access(folder, constants.W_OK).catch((cause) => {
    throw cannotWrite(path, cause);
  });
}

export async function writeText(path: string, text: string): Promise<WrittenFile> {
  return { path, bytes: await writeWholeFile(path, (write) => write(new TextEncoder().encode(text))) };
}

/** Whether two paths lead to one file. */
export async function isSameFile(one: string, other: string): Promise<boolean> {
  if (resolve(one) === resolve(other)) return true;
  const [a, b] = await Promise.all([one, other].map((path) => stat(path).catch(() => null)));
  return !!a && !!b && a.ino === b.ino && a.dev === b.dev;
}
