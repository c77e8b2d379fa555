/**
 * Q4_K: 256 numbers in 8 groups of 32, x = d·s · q - dmin·m, q in 0..15, s and m packed as in scales_k4.ts. Each 32
 * bytes of `qs` hold two groups: the low nibbles, then the high ones. `dm` is d, then dmin, both halves. The products are
 * exact, the difference rounds once. Source: block_q4_K and dequantize_row_q4_K of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';
import { minK4, scaleK4 } from './scales_k4.ts';

const DM = 0;
const SCALES = 4;
const QS = 16;

export const q4_k: BlockType = {
  name: 'Q4_K',
  id: 12,
  size: 256,
  bytes: 144,
  activations: 'Q8_K',
  planes: [
    { field: 'qs', offset: QS, bytes: 128 },
    { field: 'scales', offset: SCALES, bytes: 12 },
    { field: 'dm', offset: DM, bytes: 4 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 256, block += 144) {
      const d = halfAt(bytes, block + DM);
      const dmin = halfAt(bytes, block + DM + 2);
      for (let group = 0; group < 8; group++) {
        const ds = d * scaleK4(bytes, block + SCALES, group);
        const dm = dmin * minK4(bytes, block + SCALES, group);
        const qs = block + QS + 32 * (group >> 1);
        const shift = 4 * (group & 1);
        for (let l = 0; l < 32; l++) {
          out[i + 32 * group + l] = ds * ((bytes[qs + l]! >> shift) & 15) - dm;
        }
      }
    }
  },
};
