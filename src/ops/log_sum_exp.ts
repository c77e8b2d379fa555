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
function logSumExpOf(row: Float64Array | Float32Array): number {
  const max = maxOf(row);
  return max + Math.log1p(restOf(row, max));
}

/** NaN where there is one. */
export function maxOf(row: Float64Array | Float32Array): number {
  let max = -Infinity;
  for (const x of row) max = Math.max(max, x);
  return max;
}

/** Σ exp(x - max) - 1, without losing digits to the 1 that the maximum itself gives. */
export function restOf(row: Float64Array | Float32Array, max: number): number {
  let [equals, rest] = [0, 0];
  for (const x of row) {
    if (x === max && Number.isFinite(max)) equals++;
    else rest += Math.exp(x - max);
  }
  return equals - 1 + rest;
}
