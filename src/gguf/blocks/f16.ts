/** F16: IEEE 754 binary16, little endian. Every half is an f32, so nothing is rounded. */

import { halfAsFloatBits } from '../half.ts';
import type { BlockType } from './block.ts';

export const f16: BlockType = {
  name: 'F16',
  id: 1,
  size: 1,
  bytes: 2,
  activations: 'F16',
  planes: [{ field: 'value', offset: 0, bytes: 2 }],
  dequantize(bytes, offset, out) {
    const outBits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0, at = offset; i < out.length; i++, at += 2) {
      outBits[i] = halfAsFloatBits[bytes[at]! | (bytes[at + 1]! << 8)]!;
    }
  },
};
