/**
 * Q3_K: 256 numbers in 16 groups of 16, x = d·(s - 32) · (q - 4), q in 0..7. The low two bits of q lie in `qs` as in
 * Q2_K; bit b of byte l of `hmask` is the third bit of number 32b + l. The sixteen 6-bit s: low nibbles of groups 0..7
 * and 8..15 are the low and high nibbles of scales[0..7], their upper two bits lie in scales[8..11], group g's at bit
 * 2·(g >> 2) of byte g & 3. Everything is exact in f32. Source: block_q3_K and dequantize_row_q3_K of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const HMASK = 0;
const QS = 32;
const SCALES = 96;
const D = 108;

export const q3_k: BlockType = {
  name: 'Q3_K',
  id: 11,
  size: 256,
  bytes: 110,
  activations: 'Q8_K',
  planes: [
    { field: 'qs', offset: QS, bytes: 64 },
    { field: 'hmask', offset: HMASK, bytes: 32 },
    { field: 'scales', offset: SCALES, bytes: 12 },
    { field: 'd', offset: D, bytes: 2 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 256, block += 110) {
      const d = halfAt(bytes, block + D);
      for (let group = 0; group < 16; group++) {
        const ds = d * (groupScale(bytes, block + SCALES, group) - 32);
        const qs = block + QS + 32 * (group >> 3) + 16 * (group & 1);
        const hmask = block + HMASK + 16 * (group & 1);
        const shift = group & 6;
        const bit = group >> 1;
        for (let l = 0; l < 16; l++) {
          const q = ((bytes[qs + l]! >> shift) & 3) | (((bytes[hmask + l]! >> bit) & 1) << 2);
          out[i + 16 * group + l] = ds * (q - 4);
        }
      }
    }
  },
};

function groupScale(bytes: Uint8Array, scales: number, group: number): number {
  const low = (bytes[scales + (group & 7)]! >> (group < 8 ? 0 : 4)) & 15;
  const high = (bytes[scales + 8 + (group & 3)]! >> (2 * (group >> 2))) & 3;
  return low | (high << 4);
}
