/**
 * Q4_1: 32 numbers as x = q · d + m, q in 0..15. The low nibbles of `qs` are numbers 0..15, the high ones 16..31.
 * `dm` is d, then m, both halves. The product is exact, the sum rounds once.
 * Source: block_q4_1 and dequantize_row_q4_1 of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const DM = 0;
const QS = 4;

export const q4_1: BlockType = {
  name: 'Q4_1',
  id: 3,
  size: 32,
  bytes: 20,
  activations: 'Q8_1',
  planes: [
    { field: 'qs', offset: QS, bytes: 16 },
    { field: 'dm', offset: DM, bytes: 4 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 32, block += 20) {
      const d = halfAt(bytes, block + DM);
      const m = halfAt(bytes, block + DM + 2);
      for (let j = 0; j < 16; j++) {
        const q = bytes[block + QS + j]!;
        out[i + j] = (q & 15) * d + m;
        out[i + j + 16] = (q >> 4) * d + m;
      }
    }
  },
};
