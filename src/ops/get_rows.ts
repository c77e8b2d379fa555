/**
 * get_rows: y[t,k] = weight[tokens[t], k], the embedding of each token.
 *
 *   tokens  [token]
 *   weight  [vocab, embd]
 *
 * ggml's name for it. The kernel reads the weight packed; values agree with src/gguf/blocks to one rounding.
 */
import type { Op } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';
import { workgroups } from './workgroups.ts';

const name = 'get_rows';

/** Lanes of kernels/get_rows.wgsl, one for each 32 columns of a token. */
const LANES = 64;

export const getRows: Op = {
  name,
  formula: 'y[t,k] = weight[tokens[t], k]',
  inputs: { tokens: { kind: 'tokens' }, weight: { kind: 'weight' } },

  shape(shapes) {
    const [tokens] = shapeOf(name, shapes, 'tokens', 1);
    return [tokens!, columnsOf(shapeOf(name, shapes, 'weight', 2))];
  },

  reference({ tensors, weights }) {
    const tokens = tensors.tokens!.data;
    const weight = weights.weight!;
    const columns = columnsOf(weight.shape);
    const y = new Float64Array(tokens.length * columns);
    for (const [index, token] of tokens.entries()) {
      if (!Number.isInteger(token) || token < 0 || token >= rowsOf(weight.shape)) {
        throw cannotRun(name, `token ${token} has no row; the weight has rows 0 to ${rowsOf(weight.shape) - 1}`);
      }
      y.set(weight.rows(token, 1), index * columns);
    }
    return y;
  },

  dispatch({ weights, output, device }) {
    const weight = weights.weight!;
    const [tokens = 1, columns = 1] = output;
    return weight.chunks.map((_, chunk) => ({
      kernel: name,
      block: weight.type.toLowerCase(),
      parts: [`weight_${weight.storage}`],
      uniforms: [...weightUniforms(weight, chunk), columns, tokens],
      bindings: [{ role: 'tokens' }, { role: 'weight', chunk }, { role: 'output' }],
      workgroups: workgroups(Math.ceil((tokens * Math.ceil(columns / 32)) / LANES), device),
    }));
  },

  tolerance: () => elementwiseTolerance,
};
