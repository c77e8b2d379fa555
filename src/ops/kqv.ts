/**
 * kqv: y[t,h,d] = Σ over j of x[h,t,j] · v[j,kvHead(h),d], what each token's attention gathers. Named kqv_out in the steps.
 *
 *   x  [head, token, key]   the attention pattern, kq_soft_max
 *   v  [key, kvHead, dim]   the cache up to and with this pass
 *   y  [token, head, dim]
 *
 * Source: Vaswani et al. 2017, arXiv:1706.03762.
 */
import { type AttentionSizes, attentionCall, kvHeadOf, requireAttentionSizes, requireGrouping } from './attention.ts';
import type { Op, Shape } from './op.ts';
import { cannotRun, columnsOf, shapeOf, shapeText } from './shape.ts';
import { dotTolerance } from './tolerance.ts';

const name = 'kqv';
/** Lanes of kqv.wgsl and kqv/broadcast.wgsl, one per dimension of a head. */
const LANES = 32;

export const kqv: Op = {
  name,
  formula: 'y[t,h,d] = Σ x[h,t,j] · v[j,kvHead(h),d]',
  inputs: { x: { kind: 'tensor' }, v: { kind: 'cache' } },

  shape(shapes, params, pass) {
    requireGrouping(name, params);
    const sizes = sizesOf(shapes);
    requireAttentionSizes(name, shapes.v!, sizes, pass);
    return [sizes.nTokens, sizes.nHead, sizes.headDim];
  },

  async reference({ tensors, pause }, params) {
    const [x, v] = [tensors.x!, tensors.v!];
    const sizes = sizesOf({ x: x.shape, v: v.shape });
    const { nTokens, nHead, nHeadKv, nKeys, headDim } = sizes;
    const y = new Float64Array(nTokens * nHead * headDim);
    for (let t = 0; t < nTokens; t++) {
      await pause?.();
      for (let h = 0; h < nHead; h++) {
        const [row, pattern] = [(t * nHead + h) * headDim, (h * nTokens + t) * nKeys];
        for (let j = 0; j < nKeys; j++) {
          const value = (j * nHeadKv + kvHeadOf(h, sizes, params)) * headDim;
          for (let d = 0; d < headDim; d++) y[row + d]! += x.data[pattern + j]! * v.data[value + d]!;
        }
      }
    }
    return y;
  },

  dispatch({ shapes, params, device }) {
    const sizes = sizesOf(shapes);
    return [
      {
        ...attentionCall(name, sizes.headDim, LANES, sizes, params, device),
        bindings: [{ role: 'x' }, { role: 'v' }, { role: 'output' }],
      },
    ];
  },

  tolerance: ({ x }) => dotTolerance(columnsOf(x!)),
};

function sizesOf(shapes: Readonly<Record<string, Shape>>): AttentionSizes {
  const [x, v] = [shapeOf(name, shapes, 'x', 3), shapeOf(name, shapes, 'v', 3)];
  const [nHead, nTokens, nKeys] = x as [number, number, number];
  const [cacheKeys, nHeadKv, headDim] = v as [number, number, number];
  if (cacheKeys !== nKeys) {
    throw cannotRun(name, `x is ${shapeText(x)} and v is ${shapeText(v)}; x's last axis must be v's first`);
  }
  return { nTokens, nHead, nHeadKv, nKeys, headDim };
}
