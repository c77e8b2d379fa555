/**
 * kqv_untransposed: what attention gathers where the values of a head are read in the wrong order: as if its matrix lay
 * [dim, key] in memory while it lies [key, dim].
 *
 *   y[t,h,d] = Σ over j of x[h,t,j] · flat[d · nKeys + j], flat being the values of KV head kvHead(h), key after key
 *
 *   x  [head, token, key]   the attention pattern
 *   v  [key, kvHead, dim]   the cache up to and with this pass
 *   y  [token, head, dim]
 *
 * With one key both orders are the same.
 */
import { kvHeadOf } from './attention.ts';
import { kqv } from './kqv.ts';
import type { Op, Shape } from './op.ts';
import { sizeOf } from './shape.ts';
import { workgroups } from './workgroups.ts';

const name = 'kqv_untransposed';
/** Lanes of a workgroup of kqv_untransposed.wgsl, one per element. */
const LANES = 64;

export const kqvUntransposed: Op = {
  name,
  formula: 'y[t,h,d] = Σ x[h,t,j] · v read as [dim, key]',
  inputs: kqv.inputs,
  shape: (shapes, params, pass) => kqv.shape(shapes, params, pass),

  async reference({ tensors, pause }, params) {
    const [x, v] = [tensors.x!, tensors.v!];
    const sizes = sizesOf(x.shape, v.shape);
    const { nTokens, nHead, nHeadKv, nKeys, headDim } = sizes;
    const y = new Float64Array(nTokens * nHead * headDim);
    let next = 0;
    for (let t = 0; t < nTokens; t++) {
      await pause?.();
      for (let h = 0; h < nHead; h++) {
        const kvHead = kvHeadOf(h, sizes, params);
        for (let d = 0; d < headDim; d++) {
          let sum = 0;
          for (let j = 0; j < nKeys; j++) {
            const flat = d * nKeys + j;
            const value = (Math.floor(flat / headDim) * nHeadKv + kvHead) * headDim + (flat % headDim);
            sum += x.data[(h * nTokens + t) * nKeys + j]! * v.data[value]!;
          }
          y[next++] = sum;
        }
      }
    }
    return y;
  },

  dispatch({ shapes, output, device }) {
    const { nTokens, nHead, nHeadKv, nKeys, headDim } = sizesOf(shapes.x!, shapes.v!);
    return [
      {
        kernel: name,
        uniforms: [nTokens, nHead, nHeadKv, nKeys, headDim],
        bindings: [{ role: 'x' }, { role: 'v' }, { role: 'output' }],
        workgroups: workgroups(Math.ceil(sizeOf(output) / LANES), device),
      },
    ];
  },

  tolerance: (shapes) => kqv.tolerance(shapes),
};

function sizesOf(x: Shape, v: Shape) {
  const [nHead, nTokens, nKeys] = x as [number, number, number];
  const [, nHeadKv, headDim] = v as [number, number, number];
  return { nTokens, nHead, nHeadKv, nKeys, headDim };
}
