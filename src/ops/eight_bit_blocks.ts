/**
 * What ggml's 8-bit types for activations share: a token's numbers are cut into blocks, each with one scale d, and x
 * becomes q · d.
 *
 *   m = max |x| in the block      q = the whole number nearest to x · (127 / m), ties to even      y = q · d
 *
 * in f32, so that numbers halfway between two q fall as they do in ggml. d differs by type: rounded to f16, or the
 * reciprocal of 127 / m. A block that holds NaN or infinity, or whose d is infinite, is NaN whole: ggml would hide the first.
 */
import { nearestWhole } from './nearest.ts';
import type { Op } from './op.ts';
import { cannotRun, shapeOf, shapeText, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroups } from './workgroups.ts';

/** Lanes of a workgroup, one block each. */
const LANES = 64;

export interface EightBitBlocks {
  readonly name: string;
  readonly formula: string;
  /** Numbers in a block. */
  readonly size: number;
  /** d of a block whose largest |x| is the f32 number m; 0 where all of it becomes 0. */
  scale(m: number): number;
}

/** The op that rounds x so. Its input is `[token, ...]`, its output of the same shape. */
export function roundingTo({ name, formula, size, scale }: EightBitBlocks): Op {
  return {
    name,
    formula,
    inputs: { x: { kind: 'tensor' } },

    shape(shapes) {
      const x = shapeOf(name, shapes, 'x');
      if (sizeOf(x.slice(1)) % size === 0) return x;
      throw cannotRun(name, `x is ${shapeText(x)}; a token of x must have a multiple of ${size} numbers`);
    },

    reference({ tensors }) {
      const x = Float32Array.from(tensors.x!.data);
      const y = new Float64Array(x.length);
      for (let start = 0; start < x.length; start += size) {
        const block = x.subarray(start, start + size);
        const m = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const d = m < Infinity ? scale(m) : Number.NaN;
        if (d === 0) continue;
        const perStep = Math.fround(127 / m);
        for (const [i, value] of block.entries()) {
          y[start + i] = d < Infinity ? nearestWhole(Math.fround(value * perStep)) * d : Number.NaN;
        }
      }
      return y;
    },

    dispatch({ output, device }) {
      const blocks = sizeOf(output) / size;
      return [
        {
          kernel: name,
          uniforms: [blocks],
          bindings: [{ role: 'x' }, { role: 'output' }],
          workgroups: workgroups(Math.ceil(blocks / LANES), device),
        },
      ];
    },

    tolerance: () => elementwiseTolerance,
  };
}
