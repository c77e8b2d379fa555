/**
 * rms_norm: y = weight · x / sqrt(mean(x²) + eps), over the last axis.
 *
 *   x       [..., embd]
 *   weight  [1, embd]
 *   eps     added to the mean square, so in the unit of x²
 *
 * Source: Zhang and Sennrich 2019, arXiv:1910.07467. llama.cpp makes two nodes of it, RMS_NORM and MUL; ours is the latter.
 */
import type { Op } from './op.ts';
import { columnsOf, numberParam, requireRowVector, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'rms_norm';
/** Lanes per row of rms_norm.wgsl, where the device is not a CPU. */
const LANES = 64;

export const rmsNorm: Op = {
  name,
  formula: 'y = weight · x / sqrt(mean(x²) + eps)',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape(shapes, params) {
    numberParam(name, params, 'eps');
    requireRowVector(name, shapes, 'x', 'weight');
    return shapeOf(name, shapes, 'x');
  },

  reference({ tensors, weights }, params) {
    const { shape, data } = tensors.x!;
    const embd = columnsOf(shape);
    const weight = weights.weight!.rows(0, 1);
    const y = new Float64Array(data.length);
    for (let start = 0; start < data.length; start += embd) {
      let sumOfSquares = 0;
      for (let i = 0; i < embd; i++) sumOfSquares += data[start + i]! ** 2;
      const rms = Math.sqrt(sumOfSquares / embd + numberParam(name, params, 'eps'));
      for (let i = 0; i < embd; i++) y[start + i] = (weight[i]! * data[start + i]!) / rms;
    }
    return y;
  },

  dispatch({ output, params, device }) {
    const rows = rowsOf(output);
    return [
      {
        kernel: name,
        overrides: { LANES: lanesPerRow(LANES, device) },
        uniforms: [rows, columnsOf(output), { f32: numberParam(name, params, 'eps') }],
        bindings: [{ role: 'x' }, { role: 'weight', chunk: 0 }, { role: 'output' }],
        workgroups: workgroups(rows, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
