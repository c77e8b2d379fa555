/**
 * Q5_0: 32 numbers as x = (q - 16) · d, q in 0..31. Low four bits as in Q4_0; bit j of `qh` is the fifth bit of number j.
 * Source: block_q5_0 and dequantize_row_q5_0 of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const D = 0;
const QH = 2;
const QS = 6;

export const q5_0: BlockType = {
  name: 'Q5_0',
  id: 6,
  size: 32,
  bytes: 22,
  activations: 'Q8_0',
  planes: [
    { field: 'qs', offset: QS, bytes: 16 },
    { field: 'qh', offset: QH, bytes: 4 },
    { field: 'd', offset: D, bytes: 2 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 32, block += 22) {
      const d = halfAt(bytes, block + D);
      const qhLow = bytes[block + QH]! | (bytes[block + QH + 1]! << 8);
      const qhHigh = bytes[block + QH + 2]! | (bytes[block + QH + 3]! << 8);
      for (let j = 0; j < 16; j++) {
        const q = bytes[block + QS + j]!;
        out[i + j] = (((q & 15) | (((qhLow >> j) & 1) << 4)) - 16) * d;
        out[i + j + 16] = (((q >> 4) | (((qhHigh >> j) & 1) << 4)) - 16) * d;
      }
    }
  },
};
