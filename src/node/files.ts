/**
 * Files on disk as ByteSources: ranges are read when asked for, and no more than asked for. Plain descriptors, because
 * Node complains about a FileHandle that is collected unclosed, and a notebook seldom closes what it opened.
 */

import { close, open, read, stat } from 'node:fs';
import { promisify } from 'node:util';
import { LayerscopeError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const readDescriptor = promisify(read);
const statPath = promisify(stat);

/** Node reads less than 2 GiB at a time. */
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
  try {
    const found = await statPath(path);
    if (found.isDirectory()) throw cannotRead(path, 'it is a directory; give the path of a file');
    if (!found.isFile()) throw cannotRead(path, 'it is a device or a pipe; give the path of a file');
    if (found.size === 0) throw cannotRead(path, 'it is empty; copy or download it again');
    return fileSource(path, found.size, await openDescriptor(path, 'r'));
  } catch (cause) {
    throw explained(path, cause);
  }
}

function fileSource(path: string, size: number, descriptor: number): ByteSource {
  let isOpen = true;
  return {
    name: path,
    size,
    async read(offset, length, into) {
      if (!isOpen) throw cannotRead(path, 'it was closed; open it again');
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw cannotRead(path, `bytes ${offset} to ${offset + length} were asked for; it has ${size}`);
      }
      const bytes = into && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const part = Math.min(MAX_READ, length - done);
        const { bytesRead } = await readDescriptor(descriptor, bytes, done, part, offset + done).catch((cause) => {
          throw explained(path, cause);
        });
        if (bytesRead === 0) {
          throw cannotRead(path, `it had ${size} bytes when opened and now ends at ${offset + done}; open it again`);
        }
        done += bytesRead;
      }
      return bytes;
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await closeDescriptor(descriptor);
    },
  };
}

function explained(path: string, cause: unknown): LayerscopeError {
  if (cause instanceof LayerscopeError) return cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return cannotRead(path, cures.get(code) ?? `${message}; check the disk and the path`, cause);
}

function cannotRead(path: string, why: string, cause?: unknown): LayerscopeError {
  return new LayerscopeError(`Cannot read ${path}: ${why}`, { file: path, cause });
}
