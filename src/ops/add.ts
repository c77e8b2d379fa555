/** add: y = a + b, element by element; both have the same shape. In a Llama, the residual stream takes a layer's output. */
import type { Op } from './op.ts';
import { commonShape, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'add';

export const add: Op = {
  name,
  formula: 'y = a + b',
  inputs: { a: { kind: 'tensor' }, b: { kind: 'tensor' } },

  shape: (shapes) => commonShape(name, shapes, 'a', 'b'),

  reference({ tensors }) {
    const b = tensors.b!.data;
    return Float64Array.from(tensors.a!.data, (a, i) => a + b[i]!);
  },

  dispatch({ output, device }) {
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count],
        bindings: [{ role: 'a' }, { role: 'b' }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};
