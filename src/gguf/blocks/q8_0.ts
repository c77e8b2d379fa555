/**
 * Q8_0: 32 numbers as x = q · d, q a signed byte.
 * Source: block_q8_0 and dequantize_row_q8_0 of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const D = 0;
const QS = 2;

export const q8_0: BlockType = {
  name: 'Q8_0',
  id: 8,
  size: 32,
  bytes: 34,
  activations: 'Q8_0',
  planes: [
    { field: 'qs', offset: QS, bytes: 32 },
    { field: 'd', offset: D, bytes: 2 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 32, block += 34) {
      const d = halfAt(bytes, block + D);
      for (let j = 0; j < 32; j++) {
        const q = (bytes[block + QS + j]! << 24) >> 24;
        out[i + j] = q * d;
      }
    }
  },
};
