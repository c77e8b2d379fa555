/** A Blob or File as a ByteSource: the browser reads ranges of it from disk when they are asked for. */
import { LayerscopeError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';

/** `blob` under its own name where it is a File. Throws LayerscopeError where it is empty. */
export function blobSource(blob: Blob & { readonly name?: string }): ByteSource {
  const { size, name = 'blob' } = blob;
  const cannotRead = (why: string, cause?: unknown) =>
    new LayerscopeError(`Cannot read ${name}: ${why}`, { file: name, cause });
  if (size === 0) throw cannotRead('it is empty; choose another file');
  return {
    name,
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= size)) {
        throw cannotRead(`bytes ${offset} to ${offset + length} were asked for; it has ${size}`);
      }
      const range = blob.slice(offset, offset + length);
      return new Uint8Array(
        await range.arrayBuffer().catch((cause) => {
          throw cannotRead(`the browser says "${cause.message}"; choose it again if it has changed since`, cause);
        }),
      );
    },
    async close() {},
  };
}
