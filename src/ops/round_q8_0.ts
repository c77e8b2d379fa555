/**
 * round_q8_0: x in blocks of 32 as q · d, q a whole number of -127 … 127, d = max |x| / 127 as f16.
 *
 * So does ggml's CPU round activations before it multiplies by a weight in Q8_0, Q4_0, Q5_0 or IQ4_NL; for Q4_1 and Q5_1,
 * whose Q8_1 keeps the sum of a block beside the same q and d. It finds q by 127 / max |x|, which d's rounding does not touch.
 * Source: quantize_row_q8_0 of ggml's CPU backend, which rounds ties to even; quantize_row_q8_0_ref rounds them away from 0.
 */
import { roundingTo } from './eight_bit_blocks.ts';
import { nearestHalf } from './nearest.ts';
import type { Op } from './op.ts';

export const roundQ8_0: Op = roundingTo({
  name: 'round_q8_0',
  formula: 'y = q · d in blocks of 32, d = f16(max |x| / 127), q = the whole number nearest to x · (127 / max |x|)',
  size: 32,
  scale: (m) => nearestHalf(m / 127),
});
