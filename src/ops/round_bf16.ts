/**
 * round_bf16: y = the bfloat16 number nearest to x, ties to even: f32 without its last 16 bits.
 *
 * So does ggml's CPU round activations before it multiplies by a weight in BF16.
 */
import { nearestBf16 } from './nearest.ts';
import type { Op } from './op.ts';
import { shapeOf, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'round_bf16';

export const roundBf16: Op = {
  name,
  formula: 'y = the bfloat16 number nearest to x',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => shapeOf(name, shapes, 'x'),

  reference: ({ tensors }) => Float64Array.from(tensors.x!.data, nearestBf16),

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
