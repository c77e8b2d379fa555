/**
 * Q6_K: 256 numbers in 16 groups of 16, x = d·s · (q - 32), q in 0..63, s a signed byte. Of each half of 128 numbers,
 * quarter k (32 numbers) takes its low four bits from `ql`: bytes 0..31 for k even, 32..63 for k odd, low nibble for
 * k < 2, high nibble otherwise; its upper two bits are bits 2k and 2k+1 of `qh`. Everything is exact in f32.
 * Source: block_q6_K and dequantize_row_q6_K of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const QL = 0;
const QH = 128;
const SCALES = 192;
const D = 208;

export const q6_k: BlockType = {
  name: 'Q6_K',
  id: 14,
  size: 256,
  bytes: 210,
  activations: 'Q8_K',
  planes: [
    { field: 'ql', offset: QL, bytes: 128 },
    { field: 'qh', offset: QH, bytes: 64 },
    { field: 'scales', offset: SCALES, bytes: 16 },
    { field: 'd', offset: D, bytes: 2 },
  ],
  dequantize(bytes, offset, out) {
    for (let i = 0, block = offset; i < out.length; i += 256, block += 210) {
      const d = halfAt(bytes, block + D);
      for (let group = 0; group < 16; group++) {
        const ds = d * ((bytes[block + SCALES + group]! << 24) >> 24);
        const half = group >> 3;
        const quarter = (group >> 1) & 3;
        const within = 16 * (group & 1);
        const ql = block + QL + 64 * half + 32 * (quarter & 1) + within;
        const qh = block + QH + 32 * half + within;
        const lowShift = quarter < 2 ? 0 : 4;
        const highShift = 2 * quarter;
        for (let l = 0; l < 16; l++) {
          const q = ((bytes[ql + l]! >> lowShift) & 15) | (((bytes[qh + l]! >> highShift) & 3) << 4);
          out[i + 16 * group + l] = ds * (q - 32);
        }
      }
    }
  },
};
