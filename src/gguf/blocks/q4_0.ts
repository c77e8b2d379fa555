/**
 * Q4_0: 32 numbers as x = (q - 8) · d, q in 0..15. The low nibbles of `qs` are numbers 0..15, the high ones 16..31.
 * Source: block_q4_0 and dequantize_row_q4_0 of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const D = 0;
const QS = 2;

export const q4_0: BlockType = {
  name: 'Q4_0',
  id: 2,
  size: 32,
  bytes: 18,
  activations: 'Q8_0',
  planes: [
    { field: 'qs', offset: QS, bytes: 16 },
    { field: 'd', offset: D, bytes: 2 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 32, block += 18) {
      const d = halfAt(bytes, block + D);
      for (let j = 0; j < 16; j++) {
        const q = bytes[block + QS + j]!;
        out[i + j] = ((q & 15) - 8) * d;
        out[i + j + 16] = ((q >> 4) - 8) * d;
      }
    }
  },
};
