/**
 * top_k_ids: the ids of the k greatest of each row, greatest first; of equal ones the lower id comes first. NaN counts as
 * the greatest of all, so that it is seen.
 *
 *   x  [token, vocab]  logits
 *   y  [token, k]      ids as whole numbers, exact in f32 up to 2²⁴
 */
import type { Op, Params, Shape } from './op.ts';
import { cannotRun, columnsOf, numberParam, rowsOf, shapeOf } from './shape.ts';
import { workgroups } from './workgroups.ts';

const name = 'top_k_ids';

export const topKIds: Op = {
  name,
  formula: 'y = the ids of the k greatest x, greatest first',
  inputs: { x: { kind: 'tensor' } },

  shape(shapes, params) {
    const x = shapeOf(name, shapes, 'x', 2);
    return [x[0]!, rankCount(x, params)];
  },

  reference({ tensors }, params) {
    const { shape, data } = tensors.x!;
    const [vocab, k] = [columnsOf(shape), rankCount(shape, params)];
    const ids = new Float64Array(rowsOf(shape) * k);
    for (let row = 0; row < rowsOf(shape); row++) {
      ids.set(topIds(data.subarray(row * vocab, (row + 1) * vocab), k), row * k);
    }
    return ids;
  },

  dispatch({ shapes, params, device }) {
    const x = shapeOf(name, shapes, 'x', 2);
    return [
      {
        kernel: name,
        uniforms: [rowsOf(x), columnsOf(x), rankCount(x, params)],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroups(rowsOf(x), device),
      },
    ];
  },

  /** Exact: nothing is computed, only compared. */
  tolerance: () => 0,
};

/** Keeps the best k so far in order; a later id passes an earlier one only where its value is greater. */
function topIds(row: Float64Array | Float32Array, k: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < row.length; id++) {
    let place = best.length;
    while (place > 0 && isGreater(row[id]!, row[best[place - 1]!]!)) place--;
    if (place === k) continue;
    best.splice(place, 0, id);
    best.length = Math.min(best.length, k);
  }
  return best;
}

function isGreater(a: number, b: number): boolean {
  return a > b || (Number.isNaN(a) && !Number.isNaN(b));
}

function rankCount(x: Shape, params: Params): number {
  const [vocab, k] = [columnsOf(x), numberParam(name, params, 'k')];
  if (!Number.isInteger(k) || k < 1 || k > vocab) {
    throw cannotRun(name, `its param k is ${k}; it must be a whole number from 1 to the row's ${vocab}`);
  }
  return k;
}
