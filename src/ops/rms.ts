/**
 * rms: y[t] = sqrt(mean(x[t]²) + eps), what rms_norm divides a row by.
 *
 *   x    [token, embd]
 *   y    [token, 1]
 *   eps  added to the mean square, so in the unit of x²
 *
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467.
 */
import type { Op } from './op.ts';
import { columnsOf, numberParam, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'rms';
/** Lanes per row of rms.wgsl, where the device is not a CPU. */
const LANES = 64;

export const rms: Op = {
  name,
  formula: 'y = sqrt(mean(x²) + eps)',
  inputs: { x: { kind: 'tensor' } },

  shape(shapes, params) {
    numberParam(name, params, 'eps');
    return [shapeOf(name, shapes, 'x', 2)[0]!, 1];
  },

  reference({ tensors }, params) {
    const { shape, data } = tensors.x!;
    const embd = columnsOf(shape);
    return Float64Array.from({ length: rowsOf(shape) }, (_, row) => {
      let sumOfSquares = 0;
      for (let i = row * embd; i < (row + 1) * embd; i++) sumOfSquares += data[i]! ** 2;
      return Math.sqrt(sumOfSquares / embd + numberParam(name, params, 'eps'));
    });
  },

  dispatch({ shapes, params, device }) {
    const x = shapeOf(name, shapes, 'x', 2);
    return [
      {
        kernel: name,
        overrides: { LANES: lanesPerRow(LANES, device) },
        uniforms: [rowsOf(x), columnsOf(x), { f32: numberParam(name, params, 'eps') }],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroups(rowsOf(x), device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
