/** silu: y = x / (1 + exp(-x)), element by element. Source: Elfwing et al. 2017, arXiv:1702.03118. */
import { elementwise } from './elementwise.ts';
import type { Op } from './op.ts';

export const silu: Op = elementwise({
  name: 'silu',
  formula: 'y = x / (1 + exp(-x))',
  of: (x) => x / (1 + Math.exp(-x)),
});
