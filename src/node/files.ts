/** Files on disk as ByteSources: ranges are read when asked for, and no more than asked for. */

import { type FileHandle, open } from 'node:fs/promises';
import { LayerscopeError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';

/** Node reads at most 2 GiB - 1 bytes at a time. */
const MAX_READ = 1 << 30;

const cures = new Map<string, string>([
  ['ENOENT', 'there is no such file; check the path'],
  ['ENOTDIR', 'a part of its path is a file, not a directory; check the path'],
  ['EACCES', 'it may not be read; check its permissions'],
  ['EPERM', 'it may not be read; check its permissions'],
  ['ELOOP', 'it is a link that leads back to itself; remove the link'],
  ['EMFILE', 'too many files are open; close some models'],
]);

/** Opens `path` for reading. Throws LayerscopeError where it is no readable file, or is empty. */
export async function openFile(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r').catch((cause: unknown) => {
    throw cannotRead(path, reasonOf(cause), cause);
  });
  try {
    const stat = await handle.stat();
    if (stat.isDirectory()) throw cannotRead(path, 'it is a directory; give the path of a file');
    if (!stat.isFile()) throw cannotRead(path, 'it is a device or a pipe; give the path of a file');
    if (stat.size === 0) throw cannotRead(path, 'it is empty; copy or download it again');
    return fileSource(path, stat.size, handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function fileSource(path: string, size: number, handle: FileHandle): ByteSource {
  return {
    name: path,
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw cannotRead(path, `bytes ${offset} to ${offset + length} were asked for; it has ${size}`);
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle
          .read(bytes, done, Math.min(MAX_READ, length - done), offset + done)
          .catch((cause: unknown) => {
            throw cannotRead(path, reasonOf(cause), cause);
          });
        if (bytesRead === 0) {
          throw cannotRead(path, `it had ${size} bytes when opened and now ends at ${offset + done}; open it again`);
        }
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  return cures.get(code) ?? `${(cause as Error).message}; check the disk and the path`;
}

function cannotRead(path: string, why: string, cause?: unknown): LayerscopeError {
  return new LayerscopeError(`Cannot read ${path}: ${why}`, { file: path, cause });
}
