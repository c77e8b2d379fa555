/**
 * head-order: heads do not know of each other. Query heads that change places within their group, each taking its rows of
 * the output matrix with it, change nothing; where every head has a KV head of its own, that goes with it.
 *
 * No weight is moved for it: queries are put in the other order as they are computed, and what the heads gathered is put
 * back in the old one.
 */
import { edit } from '../../engine/transforms/edit.ts';
import { Tensor } from '../../trace/tensor.ts';
import type { RunsCheck } from './check.ts';
import { sameTensors } from './same_tensors.ts';

export const headOrder: RunsCheck = {
  kind: 'runs',
  name: 'head-order',
  title: 'Heads that change places, with their part of the output matrix, change nothing',
  proves:
    'Heads of a group read the same KV head and no head reads another: groups that are tiled where they should be repeated show, and a head that is left out or written twice.',
  cannot: 'A fault that is the same in every head. A dump cannot show it: the engine has to be run again.',
  needs: { tensors: ['every tensor'], other: 'a run in which the heads change places' },

  other(tokens, { nHead, nHeadKv }) {
    if (nHead === 1) return 'the model has one head';
    const group = nHead / nHeadKv;
    // One on, within the group; without groups one on among all.
    const order = Array.from({ length: nHead }, (_, h) =>
      group === 1 ? (h + 1) % nHead : h - (h % group) + ((h + 1) % group),
    );
    const moved = group === 1 ? ['Qcur-*', 'Kcur-*', 'Vcur-*'] : ['Qcur-*'];
    const back = order.map((_, h) => order.indexOf(h));
    return {
      tokens,
      transforms: [
        edit(moved, (tensor) => inOrder(tensor, order), { label: 'heads in another order' }),
        edit('kqv_out-*', (tensor) => inOrder(tensor, back), { label: 'heads in their own order' }),
      ],
    };
  },

  async look(base, other, findings) {
    const { nHead, nHeadKv } = base.model?.config ?? { nHead: 0, nHeadKv: 1 };
    const keys = nHead === nHeadKv ? ['Kcur', 'Kcur_rope', 'Vcur'] : [];
    await sameTensors(base, other, findings, { but: new Set(['Qcur', 'Qcur_rope', 'kq', 'kq_soft_max', ...keys]) });
  },
};

/** `[token, head, dim]` with head `order[h]` at h. */
function inOrder(tensor: Tensor, order: readonly number[]): Tensor {
  const { shape, dims, name, data } = tensor;
  const [, nHead, dim] = shape as [number, number, number];
  const moved = new Float32Array(data.length);
  for (let row = 0; row < data.length / dim; row++) {
    const from = (row - (row % nHead) + (order[row % nHead] as number)) * dim;
    moved.set(data.subarray(from, from + dim), row * dim);
  }
  return new Tensor({ name, shape, dims, data: moved });
}
