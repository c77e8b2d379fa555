/** BF16: the upper 16 bits of an f32, little endian. */

import type { BlockType } from './block.ts';

export const bf16: BlockType = {
  name: 'BF16',
  id: 30,
  size: 1,
  bytes: 2,
  activations: 'BF16',
  planes: [{ field: 'value', offset: 0, bytes: 2 }],
  dequantize(bytes, offset, out) {
    const outBits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0, at = offset; i < out.length; i++, at += 2) {
      outBits[i] = (bytes[at]! << 16) | (bytes[at + 1]! << 24);
    }
  },
};
