/** An engine that multiplies by weights in half precision throughout: a naive f16 kernel. */
import type { Transform } from './transform.ts';

/**
 * Every product with a weight's matrix rounds its factors, its products and its running sums to f16, column after column
 * (src/ops/mul_mat_f16.ts). Attention's own products, norms and the other steps stay as they are.
 */
export function f16Accumulation(): Transform {
  return {
    name: 'f16Accumulation',
    params: {},
    apply: (steps) => steps.map((step) => (step.op === 'mul_mat' ? { ...step, op: 'mul_mat_f16' } : step)),
  };
}
