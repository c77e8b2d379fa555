/**
 * Q5_1: 32 numbers as x = q · d + m, q in 0..31. Low four bits as in Q4_1; bit j of `qh` is the fifth bit of number j.
 * `dm` is d, then m, both halves. The product is exact, the sum rounds once.
 * Source: block_q5_1 and dequantize_row_q5_1 of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const DM = 0;
const QH = 4;
const QS = 8;

export const q5_1: BlockType = {
  name: 'Q5_1',
  id: 7,
  size: 32,
  bytes: 24,
  activations: 'Q8_1',
  planes: [
    { field: 'qs', offset: QS, bytes: 16 },
    { field: 'qh', offset: QH, bytes: 4 },
    { field: 'dm', offset: DM, bytes: 4 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 32, block += 24) {
      const d = halfAt(bytes, block + DM);
      const m = halfAt(bytes, block + DM + 2);
      const qhLow = bytes[block + QH]! | (bytes[block + QH + 1]! << 8);
      const qhHigh = bytes[block + QH + 2]! | (bytes[block + QH + 3]! << 8);
      for (let j = 0; j < 16; j++) {
        const q = bytes[block + QS + j]!;
        out[i + j] = ((q & 15) | (((qhLow >> j) & 1) << 4)) * d + m;
        out[i + j + 16] = ((q >> 4) | (((qhHigh >> j) & 1) << 4)) * d + m;
      }
    }
  },
};
