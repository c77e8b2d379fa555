/**
 * Writing a file that appears under its name only when it is whole: it is written beside it under a name ending in
 * `.partial`, synced, and renamed. A program that ends on the way, by an error or by process.exit(), takes the partial file
 * with it; one that is killed leaves at most that.
 */
import { randomBytes } from 'node:crypto';
import { close, fsync, openSync, rmSync, write } from 'node:fs';
import { open, realpath, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { LayerscopeError, TraceError } from '../errors.ts';

const writeDescriptor = promisify(write);
const syncDescriptor = promisify(fsync);
const closeDescriptor = promisify(close);

/** Bytes handed to the system at a time; Node takes less than 2 GiB. */
const MAX_WRITE = 1 << 30;

/**
 * Writes `path` with what `fill` writes, in order. Any failure, `fill`'s too, removes the partial file and leaves what
 * stood under `path` before as it was. Returns the file's size in bytes.
 *
 * @throws TraceError where it cannot be written, with the cure; whatever `fill` throws
 */
export async function writeWholeFile(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<number> {
  const target = await writableTarget(path);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  const file = new Descriptor(partial, path);
  const remove = () => rmSync(partial, { force: true });
  process.once('exit', remove);
  try {
    let size = 0;
    await fill(async (bytes) => {
      await file.write(bytes);
      size += bytes.byteLength;
    });
    await file.sync();
    await file.close();
    await rename(partial, target);
    await syncFolder(dirname(target));
    return size;
  } catch (cause) {
    await file.close().catch(() => undefined); // As broken as the write that failed: that is told.
    remove();
    throw cause instanceof LayerscopeError || !isSystemError(cause) ? cause : cannotWrite(path, cause);
  } finally {
    process.removeListener('exit', remove);
  }
}

/** A new file, open for writing. Opened without waiting, so that no process.exit() comes between it and its removal. */
class Descriptor {
  readonly #descriptor: number;
  #isOpen = true;

  /** Throws TraceError about `path` where `partial` cannot be made. */
  constructor(partial: string, path: string) {
    try {
      this.#descriptor = openSync(partial, 'wx');
    } catch (cause) {
      throw cannotWrite(path, cause as NodeJS.ErrnoException);
    }
  }

  /** A disk that is nearly full writes a part and says so only at the next try. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const length = Math.min(bytes.byteLength - done, MAX_WRITE);
      const { bytesWritten } = await writeDescriptor(this.#descriptor, bytes, done, length, null);
      done += bytesWritten;
    }
  }

  sync(): Promise<void> {
    return syncDescriptor(this.#descriptor);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await closeDescriptor(this.#descriptor);
  }
}

/**
 * Where the bytes go: `path`, or what it links to. A rename would replace a folder's link or a device such as /dev/null.
 *
 * @throws TraceError where that is a folder or a device
 */
export async function writableTarget(path: string): Promise<string> {
  const found = await stat(path).catch(() => null);
  if (!found) return path;
  if (found.isFile()) return realpath(path);
  const what = found.isDirectory() ? 'it is a folder; name a file in it' : 'it is a device or a pipe; name a file';
  throw new TraceError(`Cannot write ${path}: ${what}`, { file: path });
}

/** Makes the rename last through a power cut. Windows cannot open folders, and its rename is durable enough. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const CURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder; make it, or write elsewhere',
  ENOTDIR: 'a part of its path is a file; write elsewhere',
  EACCES: 'this user may not write there; write elsewhere',
  EPERM: 'this user may not write there; write elsewhere',
  EROFS: 'that disk is read-only; write elsewhere',
  ENOSPC: 'the disk is full; make room, or keep fewer values (select)',
  EDQUOT: "this user's share of the disk is full; make room, or keep fewer values (select)",
  EFBIG: 'it is larger than a file may be there; keep fewer values (select)',
  ENAMETOOLONG: 'its name is too long',
};

/** What the system said about writing `path`, in our words. */
export function cannotWrite(path: string, cause: NodeJS.ErrnoException): TraceError {
  const why = CURES[cause.code ?? ''] ?? `${cause.message}; check the disk and the path`;
  return new TraceError(`Cannot write ${path}: ${why}`, { file: path, cause });
}

function isSystemError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'syscall' in cause;
}
