/**
 * Q2_K: 256 numbers in 16 groups of 16, x = d·s · q - dmin·m, q in 0..3. A byte of `scales` holds the group's s (low
 * nibble) and m (high nibble). `qs` holds two halves of 128 numbers, 32 bytes each; bits 2k and 2k+1 of byte l of a
 * half are number 32k + l of that half. `dm` is d, then dmin, both halves. The products are exact, the difference
 * rounds once. Source: block_q2_K and dequantize_row_q2_K of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const SCALES = 0;
const QS = 16;
const DM = 80;

export const q2_k: BlockType = {
  name: 'Q2_K',
  id: 10,
  size: 256,
  bytes: 84,
  activations: 'Q8_K',
  planes: [
    { field: 'qs', offset: QS, bytes: 64 },
    { field: 'scales', offset: SCALES, bytes: 16 },
    { field: 'dm', offset: DM, bytes: 4 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 256, block += 84) {
      const d = halfAt(bytes, block + DM);
      const dmin = halfAt(bytes, block + DM + 2);
      for (let group = 0; group < 16; group++) {
        const scale = bytes[block + SCALES + group]!;
        const ds = d * (scale & 15);
        const dm = dmin * (scale >> 4);
        const qs = block + QS + 32 * (group >> 3) + 16 * (group & 1);
        const shift = group & 6;
        for (let l = 0; l < 16; l++) {
          out[i + 16 * group + l] = ds * ((bytes[qs + l]! >> shift) & 3) - dm;
        }
      }
    }
  },
};
