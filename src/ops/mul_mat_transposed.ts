/**
 * mul_mat_transposed: y[t,k] = Σ over n of weight[n,k] · x[t,n], what a direction after a matrix is before it: for every z,
 * x · (weight z) = y · z. Gradients go backwards so.
 *
 *   x       [token, row]
 *   weight  [row, column]
 *   heads   optional: the output is [token, heads, columns / heads] instead of [token, columns]
 */
import type { Op } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf, shapeText, shapeWithHeads } from './shape.ts';
import { dotTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'mul_mat_transposed';

/** Columns of a workgroup of kernels/mul_mat_transposed.wgsl, and its lanes where the device is not a CPU. */
const GROUP = 32;
const LANES = 64;

export const mulMatTransposed: Op = {
  name,
  formula: 'y[t,k] = Σ over n of weight[n,k] · x[t,n]',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape(shapes, params) {
    const [x, weight] = [shapeOf(name, shapes, 'x', 2), shapeOf(name, shapes, 'weight', 2)];
    if (columnsOf(x) !== rowsOf(weight)) {
      throw cannotRun(
        name,
        `x is ${shapeText(x)} and weight is ${shapeText(weight)}; a token of x must have ${rowsOf(weight)} numbers`,
      );
    }
    return shapeWithHeads(name, rowsOf(x), columnsOf(weight), 'columns', params);
  },

  reference({ tensors, weights }) {
    const { shape, data } = tensors.x!;
    const weight = weights.weight!;
    const [rows, columns] = [rowsOf(weight.shape), columnsOf(weight.shape)];
    const y = new Float64Array(rowsOf(shape) * columns);
    for (let row = 0; row < rows; row++) {
      const values = weight.rows(row, 1);
      for (let token = 0; token < rowsOf(shape); token++) {
        const factor = data[token * rows + row]!;
        for (let k = 0; k < columns; k++) y[token * columns + k]! += values[k]! * factor;
      }
    }
    return y;
  },

  dispatch({ shapes, weights, device }) {
    const weight = weights.weight!;
    const tokens = rowsOf(shapeOf(name, shapes, 'x', 2));
    const [rows, columns] = weight.shape;
    return weight.chunks.map((_, chunk) => ({
      kernel: name,
      block: weight.type.toLowerCase(),
      parts: [`weight_${weight.storage}`],
      overrides: { LANES: lanesPerRow(LANES, device) },
      uniforms: [...weightUniforms(weight, chunk), rows, columns, tokens],
      bindings: [{ role: 'x' }, { role: 'weight', chunk }, { role: 'output' }],
      workgroups: workgroups(tokens * Math.ceil(columns / GROUP), device),
    }));
  },

  tolerance: (shapes) => dotTolerance(rowsOf(shapeOf(name, shapes, 'weight'))),
};
