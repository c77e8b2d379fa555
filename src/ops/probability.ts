/**
 * probability: y[t,j] = exp(x[t,j] - logSumExp[t]), what softmax over the whole row gives the logits in x.
 *
 *   x            [token, k]  some logits of a row, or all
 *   log_sum_exp  [token, 1]  of the whole row
 *   y            [token, k]
 */
import type { Op } from './op.ts';
import { cannotRun, columnsOf, shapeOf, shapeText, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'probability';

export const probability: Op = {
  name,
  formula: 'y = exp(x - log_sum_exp)',
  inputs: { x: { kind: 'tensor' }, log_sum_exp: { kind: 'tensor' } },

  shape(shapes) {
    const [x, lse] = [shapeOf(name, shapes, 'x', 2), shapeOf(name, shapes, 'log_sum_exp', 2)];
    if (lse[0] !== x[0] || lse[1] !== 1) {
      throw cannotRun(name, `x is ${shapeText(x)} and log_sum_exp is ${shapeText(lse)}; it must be [${x[0]}, 1]`);
    }
    return x;
  },

  reference({ tensors }) {
    const { shape, data } = tensors.x!;
    const lse = tensors.log_sum_exp!.data;
    return Float64Array.from(data, (x, i) => Math.exp(x - lse[Math.floor(i / columnsOf(shape))]!));
  },

  dispatch({ output, device }) {
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count, columnsOf(output)],
        bindings: [{ role: 'x' }, { role: 'log_sum_exp' }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
