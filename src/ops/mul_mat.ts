/**
 * mul_mat: y[t,n] = Σ over k of weight[n,k] · x[t,k]. All axes of x but the first are one row: z of attention,
 * [token, head, dim], is taken as [token, head·dim].
 *
 *   x       [token, ...]
 *   weight  [row, column]
 *   heads   optional: the output is [token, heads, rows / heads] instead of [token, rows]
 *
 * Kernels: lanes are rows of the weight. `mul_mat/decode` (one token) and `mul_mat/prefill` (four at a time) broadcast x by
 * subgroup shuffles, so they need subgroups of one known size and whole groups of 32 columns; `mul_mat` does without either.
 * Measured on lavapipe with two cores, 2048² Q4_0: see test/bench/RESULTS.md.
 */
import type { DeviceTraits, DeviceWeight, DispatchRequest, KernelCall, Op, Params, Shape } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf, shapeText, sizeOf } from './shape.ts';
import { dotTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';

const name = 'mul_mat';

/** Lanes and tokens of a workgroup of kernels/mul_mat.wgsl. */
const LANES = 64;
const TOKENS = 4;
/** Rows of a lane in kernels/mul_mat/. */
const ROWS_OF_LANE = 2;
/** Columns whose activations one shuffle round hands out. */
const GROUP = 32;
/** Rows the reference dequantises at a time: about 8 MB. */
const REFERENCE_NUMBERS = 2 ** 21;

export const mulMat: Op = {
  name,
  formula: 'y[t,n] = Σ over k of weight[n,k] · x[t,k]',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape(shapes, params) {
    const x = shapeOf(name, shapes, 'x');
    const weight = shapeOf(name, shapes, 'weight', 2);
    const [tokens, columns] = matrixOf(x);
    if (columns !== columnsOf(weight)) {
      throw cannotRun(
        name,
        `x is ${shapeText(x)} and weight is ${shapeText(weight)}; a token of x must have ${columnsOf(weight)} numbers`,
      );
    }
    return outputShape(tokens, rowsOf(weight), params);
  },

  reference({ tensors, weights }) {
    const { shape, data } = tensors.x!;
    const weight = weights.weight!;
    const [tokens, columns] = matrixOf(shape);
    const rows = rowsOf(weight.shape);
    const y = new Float64Array(tokens * rows);
    const chunkRows = Math.max(1, Math.floor(REFERENCE_NUMBERS / columns));
    for (let row0 = 0; row0 < rows; row0 += chunkRows) {
      const chunk = weight.rows(row0, Math.min(chunkRows, rows - row0));
      for (let start = 0, row = row0; start < chunk.length; start += columns, row++) {
        for (let token = 0; token < tokens; token++) {
          let sum = 0;
          for (let k = 0, at = token * columns; k < columns; k++, at++) sum += chunk[start + k]! * data[at]!;
          y[token * rows + row] = sum;
        }
      }
    }
    return y;
  },

  dispatch({ shapes, weights, device }: DispatchRequest) {
    const [tokens] = matrixOf(shapeOf(name, shapes, 'x'));
    const weight = weights.weight!;
    return weight.chunks.map((_, chunk) => kernelCall(weight, chunk, tokens, device));
  },

  tolerance: (shapes) => dotTolerance(columnsOf(shapeOf(name, shapes, 'weight'))),
};

function matrixOf(shape: Shape): readonly [tokens: number, columns: number] {
  return [shape[0] ?? 1, sizeOf(shape.slice(1))];
}

function outputShape(tokens: number, rows: number, { heads }: Params): Shape {
  if (heads === undefined) return [tokens, rows];
  if (typeof heads !== 'number' || !Number.isSafeInteger(heads) || heads < 1 || rows % heads !== 0) {
    throw cannotRun(
      name,
      `its param heads is ${heads}; it must be a whole number that divides the weight's ${rows} rows`,
    );
  }
  return [tokens, heads, rows / heads];
}

function kernelCall(weight: DeviceWeight, chunk: number, tokens: number, device: DeviceTraits): KernelCall {
  const [stride, columns] = weight.shape;
  const { rows } = weight.chunks[chunk]!;
  const common = {
    block: weight.type.toLowerCase(),
    uniforms: [...weightUniforms(weight, chunk), stride, columns, tokens],
    bindings: [{ role: 'x' }, { role: 'weight', chunk }, { role: 'output' }],
  };
  if (device.subgroupSize < 8 || columns % GROUP !== 0) {
    return { ...common, kernel: name, workgroups: grid(rows, LANES, tokens, TOKENS) };
  }
  const lanes = device.subgroupSize;
  if (tokens > 1) {
    const subgroups = Math.max(1, Math.floor(32 / lanes));
    return {
      ...common,
      kernel: 'mul_mat/prefill',
      overrides: { lanes, subgroups },
      workgroups: grid(rows, lanes * subgroups * ROWS_OF_LANE, tokens, TOKENS),
    };
  }
  const { subgroups, splits } = decodeSplit(lanes, device);
  return {
    ...common,
    kernel: 'mul_mat/decode',
    overrides: { lanes, subgroups, splits },
    workgroups: grid(rows, ((lanes * subgroups) / splits) * ROWS_OF_LANE, 1, 1),
  };
}

/**
 * Subgroups of 8 are a CPU's vector registers: few lanes run at once, and a row is best left whole. Wider ones are a GPU,
 * which runs more lanes than a weight has rows: there eight subgroups share each row.
 */
function decodeSplit(lanes: number, device: DeviceTraits): { subgroups: number; splits: number } {
  if (lanes === 8) return { subgroups: 4, splits: 1 };
  const splits = Math.max(1, Math.min(8, Math.floor(device.maxInvocationsPerWorkgroup / lanes)));
  return { subgroups: splits, splits };
}

function grid(rows: number, rowsEach: number, tokens: number, tokensEach: number): readonly [number, number, number] {
  return [Math.ceil(rows / rowsEach), Math.ceil(tokens / tokensEach), 1];
}
