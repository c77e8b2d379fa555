/**
 * Traces in files. A file appears under its name only when it is whole: it is written beside it under a name ending in
 * `.partial`, synced, and renamed. Whoever dies before leaves at most the partial file.
 */
import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LayerscopeError, TraceError } from '../errors.ts';
import { type ArrowTrace, openArrowTrace } from '../trace/arrow_reader.ts';
import { ArrowTraceWriter } from '../trace/arrow_writer.ts';
import type { EndRecord, Manifest } from '../trace/trace.ts';
import { openFile } from './files.ts';

/**
 * Writes `path` with what `fill` appends and, as its last row, what `fill` returns. Any failure, `fill`'s too, removes
 * the partial file and leaves what stood under `path` before as it was. Returns the file's size in bytes.
 */
export async function writeArrowFile(
  path: string,
  manifest: Manifest,
  fill: (writer: ArrowTraceWriter) => Promise<EndRecord>,
): Promise<number> {
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  await mustNotBeDirectory(path);
  const file = await open(partial, 'wx').catch((cause) => {
    throw cannotWrite(path, cause);
  });
  try {
    const writer = new ArrowTraceWriter({ write: (bytes) => writeWhole(file, bytes) }, manifest, { sha256 });
    await writer.end(await fill(writer));
    await file.sync();
    const { size } = await file.stat();
    await file.close();
    await rename(partial, path);
    await syncFolder(dirname(path));
    return size;
  } catch (cause) {
    await file.close().catch(() => undefined); // Closed already, or as broken as the write that failed: that is told.
    await rm(partial, { force: true });
    throw cause instanceof LayerscopeError || !isSystemError(cause) ? cause : cannotWrite(path, cause);
  }
}

/** Opens a trace; values are read when asked for. Throws TraceError where it is broken, LayerscopeError where unreadable. */
export async function readArrow(path: string): Promise<ArrowTrace> {
  const source = await openFile(path);
  try {
    return await openArrowTrace(source);
  } catch (cause) {
    await source.close();
    throw cause;
  }
}

/** Bytes that this user can still write where `path` would be; of the nearest folder above that exists. */
export async function freeSpace(path: string): Promise<number> {
  let folder = dirname(resolve(path));
  while (!(await stat(folder).catch(() => null)) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

type OpenFile = Awaited<ReturnType<typeof open>>;

/** A disk that is nearly full writes a part and says so only at the next try. */
async function writeWhole(file: OpenFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30));
    done += bytesWritten;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
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

async function mustNotBeDirectory(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isDirectory())
    throw new TraceError(`Cannot write ${path}: it is a folder; name a file in it`, { file: path });
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

function cannotWrite(path: string, cause: NodeJS.ErrnoException): TraceError {
  const why = CURES[cause.code ?? ''] ?? `${cause.message}; check the disk and the path`;
  return new TraceError(`Cannot write ${path}: ${why}`, { file: path, cause });
}

function isSystemError(cause: unknown): cause is NodeJS.ErrnoException {
  return cause instanceof Error && 'syscall' in cause;
}
