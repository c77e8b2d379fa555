/** sha256 of files, computed once for each while it stays as it is. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { mustGoOn, type Watched } from '../engine/watched.ts';
import { openFile } from '../node/files.ts';

/** By what a change of the file would change. */
const known = new Map<string, string>();

/** Bytes that are hashed at a time. */
const HASHED_BYTES = 4 * 2 ** 20;

/** 64 hexadecimal digits. Throws LayerscopeError where it cannot be read, InterruptedError where it is stopped. */
export async function sha256(file: string, { stop, onProgress }: Watched = {}): Promise<string> {
  const source = await openFile(file);
  try {
    const { dev, ino, size, mtimeMs } = await stat(file);
    const key = [dev, ino, size, mtimeMs].join(' ');
    const found = known.get(key);
    if (found !== undefined) return found;
    const hash = createHash('sha256');
    const memory = new Uint8Array(HASHED_BYTES);
    for (let done = 0; done < size; ) {
      mustGoOn(stop, `read ${file} for its sha256`, 'ask for it again');
      const piece = await source.read(done, Math.min(HASHED_BYTES, size - done), memory);
      hash.update(piece);
      done += piece.byteLength;
      onProgress?.({ task: "reading the model's file for its sha256", item: file, done, total: size, unit: 'bytes' });
    }
    const digest = hash.digest('hex');
    known.set(key, digest);
    return digest;
  } finally {
    await source.close();
  }
}
