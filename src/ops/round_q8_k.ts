/**
 * round_q8_k: x in blocks of 256 as q · d, q a whole number of -127 … 127, d = 1 / (127 / max |x|) in f32.
 *
 * So does ggml's CPU round activations before it multiplies by a weight in Q2_K … Q6_K. It takes the sign of the largest x
 * into d and so out of every q; their product is the same without.
 * Source: quantize_row_q8_K_ref of ggml.
 */
import { roundingTo } from './eight_bit_blocks.ts';
import type { Op } from './op.ts';

export const roundQ8_K: Op = roundingTo({
  name: 'round_q8_k',
  formula: 'y = q · d in blocks of 256, d = 1 / (127 / max |x|), q = the whole number nearest to x / d',
  size: 256,
  scale: (m) => Math.fround(1 / Math.fround(127 / m)),
});
