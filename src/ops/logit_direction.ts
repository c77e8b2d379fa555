/**
 * logit_direction: y[k] = norm[k] · (weight[token,k] − weight[versus,k]), the direction of the residual stream in which a
 * token's logit grows, or what it leads another by. The dot product of it with a token's residual stream, divided by the RMS
 * that the final norm divides by, is that logit.
 *
 *   weight  [vocab, embd]  the output matrix
 *   norm    [1, embd]      the final norm's weight
 *   token   whose logit
 *   versus  optional: less this one's
 *   y       [1, embd]
 *
 * Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
 */
import type { Op, Params, Shape } from './op.ts';
import { cannotRun, columnsOf, requireRowVector, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';
import { workgroups } from './workgroups.ts';

const name = 'logit_direction';

/** Lanes of kernels/logit_direction.wgsl, one for each column. */
const LANES = 64;

export const logitDirection: Op = {
  name,
  formula: 'y[k] = norm[k] · (weight[token,k] − weight[versus,k])',
  inputs: { weight: { kind: 'weight' }, norm: { kind: 'weight' } },

  shape(shapes, params) {
    const weight = shapeOf(name, shapes, 'weight', 2);
    requireRowVector(name, shapes, 'weight', 'norm');
    requireRows(weight, params);
    return [1, columnsOf(weight)];
  },

  reference({ weights }, params) {
    const norm = weights.norm!.rows(0, 1);
    const y = new Float64Array(norm.length);
    for (const { row, sign } of signedRows(params)) {
      for (const [k, value] of weights.weight!.rows(row, 1).entries()) y[k]! += sign * norm[k]! * value;
    }
    return y;
  },

  dispatch({ weights, output, params, device }) {
    const weight = weights.weight!;
    const columns = columnsOf(output);
    return signedRows(params).map(({ row, sign }) => {
      const chunk = weight.chunks.findIndex(({ row0, rows }) => row >= row0 && row < row0 + rows);
      return {
        kernel: name,
        block: weight.type.toLowerCase(),
        parts: [`weight_${weight.storage}`],
        uniforms: [...weightUniforms(weight, chunk), columns, row, { f32: sign }],
        bindings: [{ role: 'norm', chunk: 0 }, { role: 'weight', chunk }, { role: 'output' }],
        workgroups: workgroups(Math.ceil(columns / LANES), device),
      };
    });
  },

  /** For rows that are not nearly the same: the difference of two such keeps the error and loses the size. */
  tolerance: () => elementwiseTolerance,
};

/** The first sets the output, the second is added to it. */
function signedRows({ token, versus }: Params): { readonly row: number; readonly sign: number }[] {
  return [{ row: Number(token), sign: 1 }, ...(versus === undefined ? [] : [{ row: Number(versus), sign: -1 }])];
}

function requireRows(weight: Shape, { token, versus }: Params): void {
  for (const [role, row] of Object.entries({ token, versus })) {
    if (role === 'versus' && row === undefined) continue;
    if (typeof row === 'number' && Number.isInteger(row) && row >= 0 && row < rowsOf(weight)) continue;
    throw cannotRun(name, `its param ${role} is ${row}; the weight has rows 0 to ${rowsOf(weight) - 1}`);
  }
}
