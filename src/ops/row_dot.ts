/**
 * row_dot: y[t,h] = Σ over k of x[t,h,k] · direction[0,h,k], how far each token goes in one direction, or each of its heads
 * in the head's own.
 *
 *   x          [token, embd] or [token, head, dim]
 *   direction  [1, embd]     or [1, head, dim]
 *   y          [token, 1]    or [token, head]
 */
import type { Op, Shape } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf, shapeText } from './shape.ts';
import { dotTolerance } from './tolerance.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'row_dot';
/** Lanes per row of row_dot.wgsl, where the device is not a CPU. */
const LANES = 64;

export const rowDot: Op = {
  name,
  formula: 'y[t,h] = Σ x[t,h,k] · direction[h,k]',
  inputs: { x: { kind: 'tensor' }, direction: { kind: 'tensor' } },

  shape(shapes) {
    const [x, direction] = [shapeOf(name, shapes, 'x'), shapeOf(name, shapes, 'direction')];
    if (x.length < 2 || x.length > 3 || shapeText(direction) !== shapeText([1, ...x.slice(1)])) {
      throw cannotRun(
        name,
        `x is ${shapeText(x)} and direction is ${shapeText(direction)}; wanted [token, embd] and [1, embd], or ` +
          '[token, head, dim] and [1, head, dim]',
      );
    }
    return [x[0]!, headsOf(x)];
  },

  reference({ tensors }) {
    const { shape, data } = tensors.x!;
    const direction = tensors.direction!.data;
    const dim = columnsOf(shape);
    return Float64Array.from({ length: rowsOf(shape) }, (_, row) => {
      const own = (row % headsOf(shape)) * dim;
      let sum = 0;
      for (let k = 0; k < dim; k++) sum += data[row * dim + k]! * direction[own + k]!;
      return sum;
    });
  },

  dispatch({ shapes, device }) {
    const x = shapeOf(name, shapes, 'x');
    return [
      {
        kernel: name,
        overrides: { LANES: lanesPerRow(LANES, device) },
        uniforms: [rowsOf(x), headsOf(x), columnsOf(x)],
        bindings: [{ role: 'x' }, { role: 'direction' }, { role: 'output' }],
        workgroups: workgroups(rowsOf(x), device),
      },
    ];
  },

  tolerance: ({ x }) => dotTolerance(columnsOf(x!)),
};

function headsOf(x: Shape): number {
  return x.length === 3 ? x[1]! : 1;
}
