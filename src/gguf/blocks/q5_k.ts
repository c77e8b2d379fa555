/**
 * Q5_K: Q4_K with a fifth bit: x = d·s · q - dmin·m, q in 0..31. Bit g of byte l of `qh` is the fifth bit of number l of
 * group g. The products are exact, the difference rounds once.
 * Source: block_q5_K and dequantize_row_q5_K of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';
import { minK4, scaleK4 } from './scales_k4.ts';

const DM = 0;
const SCALES = 4;
const QH = 16;
const QS = 48;

export const q5_k: BlockType = {
  name: 'Q5_K',
  id: 13,
  size: 256,
  bytes: 176,
  activations: 'Q8_K',
  planes: [
    { field: 'qs', offset: QS, bytes: 128 },
    { field: 'qh', offset: QH, bytes: 32 },
    { field: 'scales', offset: SCALES, bytes: 12 },
    { field: 'dm', offset: DM, bytes: 4 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 256, block += 176) {
      const d = halfAt(bytes, block + DM);
      const dmin = halfAt(bytes, block + DM + 2);
      for (let group = 0; group < 8; group++) {
        const ds = d * scaleK4(bytes, block + SCALES, group);
        const dm = dmin * minK4(bytes, block + SCALES, group);
        const qs = block + QS + 32 * (group >> 1);
        const shift = 4 * (group & 1);
        for (let l = 0; l < 32; l++) {
          const q = ((bytes[qs + l]! >> shift) & 15) | (((bytes[block + QH + l]! >> group) & 1) << 4);
          out[i + 32 * group + l] = ds * q - dm;
        }
      }
    }
  },
};
