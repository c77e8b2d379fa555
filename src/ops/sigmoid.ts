/** sigmoid: y = 1 / (1 + exp(-x)), element by element: the gate of silu without what it lets through. */
import { elementwise } from './elementwise.ts';
import type { Op } from './op.ts';

export const sigmoid: Op = elementwise({
  name: 'sigmoid',
  formula: 'y = 1 / (1 + exp(-x))',
  of: (x) => 1 / (1 + Math.exp(-x)),
});
