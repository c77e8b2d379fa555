/** Traces in files: written whole or not at all, and read by the tensor. */
import { createHash } from 'node:crypto';
import { stat, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type ArrowTrace, openArrowTrace } from '../trace/arrow_reader.ts';
import { ArrowTraceWriter } from '../trace/arrow_writer.ts';
import type { EndRecord, Manifest } from '../trace/trace.ts';
import { openFile } from './files.ts';
import { writeWholeFile } from './whole_file.ts';

/**
 * Writes `path` with what `fill` appends and, as its last row, what `fill` returns. Any failure, `fill`'s too, leaves what
 * stood under `path` before as it was. Returns the file's size in bytes.
 */
export function writeArrowFile(
  path: string,
  manifest: Manifest,
  fill: (writer: ArrowTraceWriter) => Promise<EndRecord>,
): Promise<number> {
  return writeWholeFile(path, async (write) => {
    const writer = new ArrowTraceWriter({ write }, manifest, { sha256 });
    await writer.end(await fill(writer));
  });
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

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
