/**
 * gelu: y = x / (1 + exp(-2u)), u = sqrt(2 / π) · (x + 0.044715 x³), element by element. That is ½ x (1 + tanh u), the usual
 * approximation of x · Φ(x). Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.
 */
import { elementwise } from './elementwise.ts';
import type { Op } from './op.ts';

export const gelu: Op = elementwise({
  name: 'gelu',
  formula: 'y = x / (1 + exp(-2 sqrt(2/π) (x + 0.044715 x³)))',
  of: (x) => x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
});
