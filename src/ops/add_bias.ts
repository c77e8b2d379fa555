/**
 * add_bias: y[t,i] = x[t,i] + weight[i], the same row for every token. What follows the token axis is one row, so x may
 * be `[token, head, dim]` and the weight `[1, head · dim]`.
 */
import type { Op } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf, shapeText, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'add_bias';

export const addBias: Op = {
  name,
  formula: 'y = x + weight',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape(shapes) {
    const [x, weight] = [shapeOf(name, shapes, 'x'), shapeOf(name, shapes, 'weight')];
    const embd = sizeOf(x.slice(1));
    if (rowsOf(weight) !== 1 || columnsOf(weight) !== embd) {
      throw cannotRun(
        name,
        `x is ${shapeText(x)} and weight is ${shapeText(weight)}; weight must be one row of ${embd}`,
      );
    }
    return x;
  },

  reference({ tensors, weights }) {
    const weight = weights.weight!.rows(0, 1);
    return Float64Array.from(tensors.x!.data, (x, i) => x + weight[i % weight.length]!);
  },

  dispatch({ output, device }) {
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count, sizeOf(output.slice(1))],
        bindings: [{ role: 'x' }, { role: 'weight', chunk: 0 }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
