/**
 * round_f16: y = the half (IEEE 754 binary16) nearest to x, ties to even, as an f32 number; from 65,520 on it is infinite.
 *
 * So are activations stored by an engine that computes in f16, and so does ggml's CPU round them before it multiplies by
 * a weight in F16.
 */
import { nearestHalf } from './nearest.ts';
import type { Op } from './op.ts';
import { shapeOf, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'round_f16';

export const roundF16: Op = {
  name,
  formula: 'y = the f16 number nearest to x',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => shapeOf(name, shapes, 'x'),

  reference: ({ tensors }) => Float64Array.from(tensors.x!.data, nearestHalf),

  dispatch({ output, device }) {
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
