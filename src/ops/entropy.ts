/**
 * entropy: y[t] = -Σ p[i] ln p[i] with p = softmax(x[t]), in nats: 0 when one token is certain, ln(vocab) when all are alike.
 *
 *   x  [token, vocab]  logits
 *   y  [token, 1]
 *
 * Source: Shannon 1948, A Mathematical Theory of Communication.
 */
import { maxOf, restOf } from './log_sum_exp.ts';
import type { Op } from './op.ts';
import { columnsOf, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroups } from './workgroups.ts';

const name = 'entropy';

export const entropy: Op = {
  name,
  formula: 'y = -Σ p ln p, p = softmax(x)',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => [shapeOf(name, shapes, 'x', 2)[0]!, 1],

  reference({ tensors }) {
    const { shape, data } = tensors.x!;
    return Float64Array.from({ length: rowsOf(shape) }, (_, row) =>
      entropyOf(data.subarray(row * columnsOf(shape), (row + 1) * columnsOf(shape))),
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

/** With d = x - max and Σ exp(d) = 1 + rest: ln(1 + rest) + (Σ -d · exp(d)) / (1 + rest). */
function entropyOf(row: Float64Array | Float32Array): number {
  const max = maxOf(row);
  const rest = restOf(row, max);
  let surprise = 0;
  for (const x of row) {
    // A probability of 0 counts nothing: p ln p goes to 0 with p.
    if (x !== -Infinity) surprise -= (x - max) * Math.exp(x - max);
  }
  return Math.log1p(rest) + surprise / (1 + rest);
}
