/**
 * take: y[t,j] = x[t, ids[t,j]]; NaN where an id is not in the row.
 *
 *   x    [token, vocab]
 *   ids  [token, k]  whole numbers, for instance from top_k_ids
 *   y    [token, k]
 */
import type { Op } from './op.ts';
import { cannotRun, columnsOf, shapeOf, shapeText, sizeOf } from './shape.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'take';

export const take: Op = {
  name,
  formula: 'y[t,j] = x[t,ids[t,j]]',
  inputs: { x: { kind: 'tensor' }, ids: { kind: 'tensor' } },

  shape(shapes) {
    const [x, ids] = [shapeOf(name, shapes, 'x', 2), shapeOf(name, shapes, 'ids', 2)];
    if (x[0] !== ids[0]) {
      throw cannotRun(name, `x is ${shapeText(x)} and ids is ${shapeText(ids)}; their first axes must be equal`);
    }
    return ids;
  },

  reference({ tensors }) {
    const [x, ids] = [tensors.x!, tensors.ids!];
    const [vocab, k] = [columnsOf(x.shape), columnsOf(ids.shape)];
    return Float64Array.from(ids.data, (id, i) =>
      id >= 0 && id < vocab ? x.data[Math.floor(i / k) * vocab + Math.trunc(id)]! : Number.NaN,
    );
  },

  dispatch({ shapes, output, device }) {
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count, columnsOf(shapeOf(name, shapes, 'x', 2)), columnsOf(output)],
        bindings: [{ role: 'x' }, { role: 'ids' }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  /** Exact: values are copied. */
  tolerance: () => 0,
};
