/** Messages of a port as bytes, for websockets: MessagePack, in which NaN, undefined and typed arrays survive. */
import { decode, ExtensionCodec, encode } from '@msgpack/msgpack';

/** The typed arrays that a message may hold; the index is the extension's type and never changes. */
const ARRAYS = [Float32Array, Float64Array, Uint32Array, Int32Array] as const;

const extensionCodec = new ExtensionCodec();
for (const [type, TypedArray] of ARRAYS.entries()) {
  extensionCodec.register({
    type,
    encode: (value) =>
      value instanceof TypedArray ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : null,
    // A copy, because the bytes of a message lie at any offset.
    decode: (bytes) => new TypedArray(bytes.slice().buffer),
  });
}

export function toBytes(message: unknown): Uint8Array {
  return encode(message, { extensionCodec, ignoreUndefined: true });
}

/** Throws RangeError or Error where the bytes are no whole message. */
export function fromBytes(bytes: Uint8Array): unknown {
  return decode(bytes, { extensionCodec });
}
