/** F32: the number itself, four bytes, little endian. */

import type { BlockType } from './block.ts';

export const f32: BlockType = {
  name: 'F32',
  id: 0,
  size: 1,
  bytes: 4,
  activations: 'F32',
  planes: [{ field: 'value', offset: 0, bytes: 4 }],
  dequantize(bytes, offset, out) {
    const outBytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    outBytes.set(bytes.subarray(offset, offset + out.byteLength));
  },
};
