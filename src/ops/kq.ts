/**
 * kq: y[h,t,j] = Σ over d of q[t,h,d] · k[j,kvHead(h),d], the attention scores before scale and mask.
 *
 *   q  [token, head, dim]
 *   k  [key, kvHead, dim]  the cache up to and with this pass: key j stands at position j
 *   y  [head, token, key]
 *
 * Source: Vaswani et al. 2017, arXiv:1706.03762.
 */
import { type AttentionSizes, attentionCall, kvHeadOf, requireAttentionSizes, requireGrouping } from './attention.ts';
import type { Op, Shape } from './op.ts';
import { cannotRun, columnsOf, shapeOf, shapeText } from './shape.ts';
import { dotTolerance } from './tolerance.ts';

const name = 'kq';
/** Lanes of kq.wgsl and kq/broadcast.wgsl, one per key. */
const LANES = 64;

export const kq: Op = {
  name,
  formula: 'y[h,t,j] = Σ q[t,h,d] · k[j,kvHead(h),d]',
  inputs: { q: { kind: 'tensor' }, k: { kind: 'cache' } },

  shape(shapes, params, pass) {
    requireGrouping(name, params);
    const sizes = sizesOf(shapes);
    requireAttentionSizes(name, shapes.k!, sizes, pass);
    return [sizes.nHead, sizes.nTokens, sizes.nKeys];
  },

  async reference({ tensors, pause }, params) {
    const [q, k] = [tensors.q!, tensors.k!];
    const sizes = sizesOf({ q: q.shape, k: k.shape });
    const { nTokens, nHead, nHeadKv, nKeys, headDim } = sizes;
    const y = new Float64Array(nHead * nTokens * nKeys);
    let next = 0;
    for (let h = 0; h < nHead; h++) {
      await pause?.();
      for (let t = 0; t < nTokens; t++) {
        const query = (t * nHead + h) * headDim;
        for (let j = 0; j < nKeys; j++) {
          const key = (j * nHeadKv + kvHeadOf(h, sizes, params)) * headDim;
          let sum = 0;
          for (let d = 0; d < headDim; d++) sum += q.data[query + d]! * k.data[key + d]!;
          y[next++] = sum;
        }
      }
    }
    return y;
  },

  dispatch({ shapes, params, device }) {
    const sizes = sizesOf(shapes);
    return [
      {
        ...attentionCall(name, sizes.nKeys, LANES, sizes, params, device),
        bindings: [{ role: 'q' }, { role: 'k' }, { role: 'output' }],
      },
    ];
  },

  tolerance: ({ q }) => dotTolerance(columnsOf(q!)),
};

function sizesOf(shapes: Readonly<Record<string, Shape>>): AttentionSizes {
  const [q, k] = [shapeOf(name, shapes, 'q', 3), shapeOf(name, shapes, 'k', 3)];
  const [nTokens, nHead, headDim] = q as [number, number, number];
  const [nKeys, nHeadKv, keyDim] = k as [number, number, number];
  if (keyDim !== headDim) {
    throw cannotRun(name, `q is ${shapeText(q)} and k is ${shapeText(k)}; their last axes must be equal`);
  }
  return { nTokens, nHead, nHeadKv, nKeys, headDim };
}
