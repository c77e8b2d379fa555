/**
 * heads_unmerged: y is x in the order [head, token, dim], taken for [token, head, dim]: what a token's row holds where an engine
 * forgets to bring heads and tokens back in order before it makes one row of a token's heads.
 *
 *   x, y  [token, head, dim]
 *
 * With one token both orders are the same.
 */
import type { Op } from './op.ts';
import { shapeOf, sizeOf } from './shape.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'heads_unmerged';

export const headsUnmerged: Op = {
  name,
  formula: 'y = x in the order [head, token, dim]',
  inputs: { x: { kind: 'tensor' } },

  shape: (shapes) => shapeOf(name, shapes, 'x', 3),

  reference({ tensors }) {
    const { shape, data } = tensors.x!;
    const [nTokens, nHead, dim] = shape as [number, number, number];
    return Float64Array.from(data, (_, i) => {
      const [head, token] = [Math.floor(i / (dim * nTokens)), Math.floor(i / dim) % nTokens];
      return data[(token * nHead + head) * dim + (i % dim)]!;
    });
  },

  dispatch({ output, device }) {
    const [nTokens, nHead, dim] = output as [number, number, number];
    return [
      {
        kernel: name,
        uniforms: [sizeOf(output), nTokens, nHead, dim],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroupsPerElement(sizeOf(output), device),
      },
    ];
  },

  /** Exact: values are copied. */
  tolerance: () => 0,
};
