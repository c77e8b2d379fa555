/**
 * log_sum_exp: y[t] = ln Σ exp(x[t,i]), so that exp(x[t,i] - y[t]) is the probability of token i.
 *
 *   x  [token, vocab]  logits
 *   y  [token, 1]
 */
import type { Op } from './op.ts';
import { columnsOf, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroups } from './workgroups.ts';

const name = 'log_sum_exp';

export const logSumExp: Op = {
  name,
  formula: 'y = ln Σ exp(x)',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => [shapeOf(name, shapes, 'x', 2)[0]!, 1],

  reference({ tensors }) {
    const { shape, data } = tensors.x!;
    return Float64Array.from({ length: rowsOf(shape) }, (_, row) =>
      logSumExpOf(data.subarray(row * columnsOf(shape), (row + 1) * columnsOf(shape))),
    );
  },

  dispatch({ shapes, device }) {
    const x = shapeOf(name, shapes, 'x', 2);
    return [
      {
        kernel: name,
        uniforms: [rowsOf(x), columnsOf(x)],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroups(rowsOf(x), device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};

/** ln Σ exp(x) of one row, its maximum taken out first. NaN where the greatest is NaN or infinite. */
export function logSumExpOf(row: Float64Array | Float32Array): number {
  let [max, sum] = [-Infinity, 0];
  for (const x of row) max = Math.max(max, x);
  for (const x of row) sum += Math.exp(x - max);
  return max + Math.log(sum);
}
