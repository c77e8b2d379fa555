/**
 * mul_mat: y[t,n] = Σ over k of weight[n,k] · x[t,k]. All axes of x but the first are one row: z of attention,
 * [token, head, dim], is taken as [token, head·dim].
 *
 *   x       [token, ...]
 *   weight  [row, column]
 *   heads   optional: the output is [token, heads, rows / heads] instead of [token, rows]
 *
 * Kernels: lanes are rows of the weight. `mul_mat/decode` (one token) and `mul_mat/prefill` (eight at a time) hand x to all
 * lanes by subgroup shuffles, so they need subgroups of one known size, at least 8, and whole groups of 32 columns; `mul_mat`
 * does without either. All weights of TinyLlama in Q4_0 on lavapipe, two cores: 54 ms for one token (10.8 GB/s), 3.3 s for
 * 128 (80 GFLOP/s), in CPU time halved, as the machine was shared; from storage buffers the 128 take twice as long.
 */
import type { DeviceTraits, DeviceWeight, DispatchRequest, KernelCall, Op, Params, Shape, Storage } from './op.ts';
import { cannotRun, columnsOf, rowsOf, shapeOf, shapeText, shapeWithHeads, sizeOf } from './shape.ts';
import { dotTolerance } from './tolerance.ts';
import { weightUniforms } from './weight_uniforms.ts';
import { workgroups } from './workgroups.ts';

const name = 'mul_mat';

/** Lanes and tokens of a workgroup of kernels/mul_mat.wgsl. */
const LANES = 64;
const TOKENS = 4;
/** Rows of a lane and tokens of a workgroup in kernels/mul_mat/prefill.wgsl. */
const PREFILL_ROWS = 2;
const PREFILL_TOKENS = 8;
/** Columns whose activations one shuffle round hands out. */
const GROUP = 32;
/** Numbers the reference dequantises at a time, about 8 MB, and products between its pauses, about 20 ms. */
const REFERENCE_NUMBERS = 2 ** 21;
const REFERENCE_PRODUCTS = 2 ** 24;

export const mulMat: Op = {
  name,
  formula: 'y[t,n] = Σ over k of weight[n,k] · x[t,k]',
  inputs: { x: { kind: 'tensor' }, weight: { kind: 'weight' } },

  shape: (shapes, params) => productShape(name, shapes, params),

  async reference({ tensors, weights, pause }) {
    const { shape, data } = tensors.x!;
    const weight = weights.weight!;
    const [tokens, columns] = matrixOf(shape);
    const rows = rowsOf(weight.shape);
    const y = new Float64Array(tokens * rows);
    const chunkNumbers = Math.min(REFERENCE_NUMBERS, REFERENCE_PRODUCTS / tokens);
    const chunkRows = Math.max(1, Math.floor(chunkNumbers / columns));
    for (let row0 = 0; row0 < rows; row0 += chunkRows) {
      await pause?.();
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

/** The shape of what `op` makes of x and weight; throws StepError where they do not fit. */
export function productShape(op: string, shapes: Readonly<Record<string, Shape>>, params: Params): Shape {
  const x = shapeOf(op, shapes, 'x');
  const weight = shapeOf(op, shapes, 'weight', 2);
  const [tokens, columns] = matrixOf(x);
  if (columns !== columnsOf(weight)) {
    throw cannotRun(
      op,
      `x is ${shapeText(x)} and weight is ${shapeText(weight)}; a token of x must have ${columnsOf(weight)} numbers`,
    );
  }
  return shapeWithHeads(op, tokens, rowsOf(weight), 'rows', params);
}

/** x as a matrix: all axes but the first are one row. */
export function matrixOf(shape: Shape): readonly [tokens: number, columns: number] {
  return [shape[0] ?? 1, sizeOf(shape.slice(1))];
}

function kernelCall(weight: DeviceWeight, chunk: number, tokens: number, device: DeviceTraits): KernelCall {
  const [stride, columns] = weight.shape;
  const variant = variantFor(tokens, columns, device);
  const rowTiles = Math.ceil(weight.chunks[chunk]!.rows / variant.rows);
  return {
    kernel: variant.kernel,
    block: weight.type.toLowerCase(),
    parts: [`weight_${weight.storage}`, ...(variant.x ? [`x_${variant.x}`] : [])],
    ...(variant.overrides ? { overrides: variant.overrides } : {}),
    uniforms: [...weightUniforms(weight, chunk), stride, columns, tokens, rowTiles],
    bindings: [{ role: 'x', storage: variant.x ?? 'buffer' }, { role: 'weight', chunk }, { role: 'output' }],
    workgroups: workgroups(rowTiles * Math.ceil(tokens / variant.tokens), device),
  };
}

/** A kernel with its overrides, and the rows and tokens of one of its workgroups. */
interface Variant {
  readonly kernel: string;
  readonly overrides?: Readonly<Record<string, number>>;
  readonly rows: number;
  readonly tokens: number;
  /** Where x lies, for the kernels that can have it in either. */
  readonly x?: Storage;
}

function variantFor(tokens: number, columns: number, device: DeviceTraits): Variant {
  const lanes = device.subgroupSize;
  if (lanes < 8 || columns % GROUP !== 0) return { kernel: name, rows: LANES, tokens: TOKENS };
  if (tokens === 1) return decodeVariant(device);
  const subgroups = Math.max(1, 32 / lanes);
  return {
    kernel: 'mul_mat/prefill',
    overrides: { lanes, subgroups },
    rows: lanes * subgroups * PREFILL_ROWS,
    tokens: PREFILL_TOKENS,
    x: device.fastStorage,
  };
}

/**
 * Subgroups of 8 are a CPU's vector registers: few lanes run at once, and a row is best left whole. Wider ones are a GPU,
 * which runs more lanes than a weight has rows: there eight subgroups share each row.
 */
function decodeVariant(device: DeviceTraits): Variant {
  const { subgroupSize: lanes, fastStorage: x } = device;
  const most = Math.max(1, Math.min(8, Math.floor(device.maxInvocationsPerWorkgroup / lanes)));
  const overrides =
    lanes === 8
      ? { lanes, subgroups: 4, splits: 1, rows_each: 4 }
      : { lanes, subgroups: most, splits: most, rows_each: 2 };
  const { subgroups, splits, rows_each } = overrides;
  return { kernel: 'mul_mat/decode', overrides, rows: (lanes * rows_each * subgroups) / splits, tokens: 1, x };
}
