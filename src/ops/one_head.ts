/**
 * one_head: y is b in one head and a in the others: a fault in a single head.
 *
 *   a, b, y  one shape
 *   axis     which of their axes counts heads
 *   head     which head is b's
 */
import type { Op, Params, Shape } from './op.ts';
import { cannotRun, commonShape, numberParam, shapeText, sizeOf } from './shape.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'one_head';

export const oneHead: Op = {
  name,
  formula: 'y = b in one head, a in the others',
  inputs: { a: { kind: 'tensor' }, b: { kind: 'tensor' } },

  shape(shapes, params) {
    const shape = commonShape(name, shapes, 'a', 'b');
    headsOf(shape, params);
    return shape;
  },

  reference({ tensors }, params) {
    const [a, b] = [tensors.a!, tensors.b!.data];
    const { head, heads, width } = headsOf(a.shape, params);
    return Float64Array.from(a.data, (value, i) => (Math.floor(i / width) % heads === head ? b[i]! : value));
  },

  dispatch({ output, params, device }) {
    const { head, heads, width } = headsOf(output, params);
    return [
      {
        kernel: name,
        uniforms: [sizeOf(output), head, heads, width],
        bindings: [{ role: 'a' }, { role: 'b' }, { role: 'output' }],
        workgroups: workgroupsPerElement(sizeOf(output), device),
      },
    ];
  },

  /** Exact: values are copied. */
  tolerance: () => 0,
};

/** The head, how many there are, and how many neighbouring elements belong to one. */
function headsOf(shape: Shape, params: Params): { head: number; heads: number; width: number } {
  const [axis, head] = [numberParam(name, params, 'axis'), numberParam(name, params, 'head')];
  const heads = shape[axis];
  if (heads === undefined || !Number.isInteger(head) || head < 0 || head >= heads) {
    throw cannotRun(name, `a is ${shapeText(shape)}; it has no head ${head} on axis ${axis}`);
  }
  return { head, heads, width: sizeOf(shape.slice(axis + 1)) };
}
