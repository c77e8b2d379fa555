/** Dumps that are named on the command line. */
import { open } from 'node:fs/promises';
import type { ReadDumpOptions } from '../node/dump.ts';
import type { Trace } from '../trace/trace.ts';

/** Whether there is a file or a folder of that name which is no GGUF. */
export async function isDump(path: string): Promise<boolean> {
  const file = await open(path).catch(() => null);
  if (!file) return false;
  try {
    if ((await file.stat()).isDirectory()) return true;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead).toString('latin1') !== 'GGUF';
  } finally {
    await file.close();
  }
}

/** Opens dumps in any format; values are read when asked for. */
export async function openDumps(paths: readonly string[], options: ReadDumpOptions = {}): Promise<Trace[]> {
  const { readDump } = await import('../node/dump.ts');
  return Promise.all(paths.map((path) => readDump(path, options)));
}
