/** Ops of one input that make each element from its own alone; the kernel has the count, then the op's own uniforms. */
import type { Op, Params, Uniform } from './op.ts';
import { shapeOf, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

interface Elementwise {
  readonly name: string;
  readonly formula: string;
  /** The element in f64. */
  of(x: number, params: Params): number;
  /** What the kernel's uniform block holds after the count. It throws where a param is missing. */
  uniforms?(params: Params): readonly Uniform[];
}

export function elementwise({ name, formula, of, uniforms = () => [] }: Elementwise): Op {
  return {
    name,
    formula,
    inputs: { x: { kind: 'tensor' } },

    shape(shapes, params) {
      uniforms(params);
      return shapeOf(name, shapes, 'x');
    },

    reference: ({ tensors }, params) => Float64Array.from(tensors.x!.data, (x) => of(x, params)),

    dispatch({ output, params, device }) {
      const count = sizeOf(output);
      return [
        {
          kernel: name,
          uniforms: [count, ...uniforms(params)],
          bindings: [{ role: 'x' }, { role: 'output' }],
          workgroups: workgroupsPerElement(count, device),
        },
      ];
    },

    tolerance: () => elementwiseTolerance,
  };
}
