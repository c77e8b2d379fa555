/**
 * IQ4_NL: 32 numbers as x = d · level[q], sixteen levels that are denser near zero. Nibbles lie as in Q4_0.
 * Source: block_iq4_nl, dequantize_row_iq4_nl and kvalues_iq4nl of ggml.
 */

import { halfAt } from '../half.ts';
import type { BlockType } from './block.ts';

const D = 0;
const QS = 2;

/** kvalues_iq4nl. */
export const iq4NlLevels: readonly number[] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

export const iq4_nl: BlockType = {
  name: 'IQ4_NL',
  id: 20,
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
        out[i + j] = d * iq4NlLevels[q & 15]!;
        out[i + j + 16] = d * iq4NlLevels[q >> 4]!;
      }
    }
  },
};
