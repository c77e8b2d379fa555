/** silu: y = x / (1 + exp(-x)), element by element. Source: Elfwing et al. 2017, arXiv:1702.03118. */
import type { Op } from './op.ts';
import { shapeOf, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'silu';

export const silu: Op = {
  name,
  formula: 'y = x / (1 + exp(-x))',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => shapeOf(name, shapes, 'x'),

  reference: ({ tensors }) => Float64Array.from(tensors.x!.data, (x) => x / (1 + Math.exp(-x))),

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
