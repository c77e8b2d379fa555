/**
 * mul_mat_f16: mul_mat as a naive kernel in half precision computes it. Factors, each product and each sum are rounded to f16,
 * one column after the other:
 *
 *   s = 0      s = f16(s + f16(f16(weight[n,k]) · f16(x[t,k]))) for k = 0, 1, …      y[t,n] = s
 *
 * The same bits on every backend: a product of two halves is exact in f32, and a sum of two that is rounded to f32 and then to
 * f16 is what f16 alone would give (Figueroa 1995, "When is double rounding innocuous?").
 */
import { matrixOf, productShape } from './mul_mat.ts';
import { nearestHalf } from './nearest.ts';
import type { DispatchRequest, Op } from './op.ts';
import { rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';
import { workgroups } from './workgroups.ts';

const name = 'mul_mat_f16';
/** Lanes of a workgroup, one row each. */
const LANES = 64;

export const mulMatF16: Op = {
  name,
  formula: 'y[t,n] = Σ over k of weight[n,k] · x[t,k], each product and sum rounded to f16',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape: (shapes, params) => productShape(name, shapes, params),

  async reference({ tensors, weights, pause }) {
    const weight = weights.weight!;
    const [tokens, columns] = matrixOf(tensors.x!.shape);
    const rows = rowsOf(weight.shape);
    const x = Float32Array.from(tensors.x!.data, nearestHalf);
    const y = new Float64Array(tokens * rows);
    for (let row = 0; row < rows; row++) {
      await pause?.();
      const factors = weight.rows(row, 1).map(nearestHalf);
      for (let token = 0; token < tokens; token++) {
        let sum = 0;
        for (const [k, factor] of factors.entries()) {
          sum = nearestHalf(sum + nearestHalf(factor * x[token * columns + k]!));
        }
        y[token * rows + row] = sum;
      }
    }
    return y;
  },

  dispatch({ shapes, weights, device }: DispatchRequest) {
    const [tokens] = matrixOf(shapeOf(name, shapes, 'x'));
    const weight = weights.weight!;
    const [stride, columns] = weight.shape;
    return weight.chunks.map(({ rows }, chunk) => {
      const rowTiles = Math.ceil(rows / LANES);
      return {
        kernel: name,
        block: weight.type.toLowerCase(),
        parts: [`weight_${weight.storage}`],
        uniforms: [...weightUniforms(weight, chunk), stride, columns, tokens, rowTiles],
        bindings: [{ role: 'x' }, { role: 'weight', chunk }, { role: 'output' }],
        workgroups: workgroups(rowTiles * tokens, device),
      };
    });
  },

  tolerance: () => elementwiseTolerance,
};
