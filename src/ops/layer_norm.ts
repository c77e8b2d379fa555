/**
 * layer_norm: y = weight · (x - mean(x)) / sqrt(mean((x - mean(x))²) + eps), over the last axis; no bias.
 *
 *   x       [..., embd]
 *   weight  [1, embd]
 *   eps     added to the variance, so in the unit of x²
 *
 * Source: Ba et al. 2016, arXiv:1607.06450. A Llama has rms_norm in its place.
 */
import type { Op } from './op.ts';
import { columnsOf, numberParam, requireRowVector, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'layer_norm';
/** Lanes per row of layer_norm.wgsl, where the device is not a CPU. */
const LANES = 64;

export const layerNorm: Op = {
  name,
  formula: 'y = weight · (x - mean(x)) / sqrt(var(x) + eps)',
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
      const row = Float64Array.from(data.subarray(start, start + embd));
      const mean = row.reduce((sum, x) => sum + x, 0) / embd;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / embd;
      const deviation = Math.sqrt(variance + numberParam(name, params, 'eps'));
      for (let i = 0; i < embd; i++) y[start + i] = (weight[i]! * (row[i]! - mean)) / deviation;
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
