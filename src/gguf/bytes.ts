/** A ByteSource over bytes in memory, and the bytes of a stream in one array. */

import { LayerscopeError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';

/** `bytes` as a file called `name`; reads are views, not copies. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes.length)) {
        throw new LayerscopeError(
          `Cannot read ${name}: bytes ${offset} to ${offset + length} were asked for; it has ${bytes.length}`,
          { file: name },
        );
      }
      return bytes.subarray(offset, offset + length);
    },
    async close() {},
  };
}

/** All chunks, one after the other, in one array. For small files: the whole lies in memory. */
export async function joinBytes(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    length += chunk.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
