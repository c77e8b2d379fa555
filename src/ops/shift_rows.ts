/**
 * shift_rows: y[t] = x[t - by], a token's row taken from `by` rows before it; the first row stands for those before it.
 *
 *   x, y  [token, ...]
 *   by    a whole number, 1 or more
 */
import type { Op, Params } from './op.ts';
import { cannotRun, numberParam, shapeOf, sizeOf } from './shape.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'shift_rows';

export const shiftRows: Op = {
  name,
  formula: 'y[t] = x[t - by]',
  inputs: { x: { kind: 'tensor' } },

  shape(shapes, params) {
    byOf(params);
    return shapeOf(name, shapes, 'x');
  },

  reference({ tensors }, params) {
    const { shape, data } = tensors.x!;
    const width = sizeOf(shape.slice(1));
    return Float64Array.from(data, (_, i) => data[Math.max(i - byOf(params) * width, i % width)]!);
  },

  dispatch({ output, params, device }) {
    return [
      {
        kernel: name,
        uniforms: [sizeOf(output), sizeOf(output.slice(1)), byOf(params)],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroupsPerElement(sizeOf(output), device),
      },
    ];
  },

  /** Exact: values are copied. */
  tolerance: () => 0,
};

function byOf(params: Params): number {
  const by = numberParam(name, params, 'by');
  if (Number.isInteger(by) && by >= 1) return by;
  throw cannotRun(name, `its param by is ${by}; it must be a whole number of at least 1`);
}
