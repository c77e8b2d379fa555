import { expect, test } from 'vitest';
import { type OpCase, runOp } from '../../src/engine/run_op.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { mulMat } from '../../src/ops/mul_mat.ts';
import { mulMatF16 } from '../../src/ops/mul_mat_f16.ts';
import { nearestHalf } from '../../src/ops/nearest.ts';
import {
  expectRefusal,
  f32,
  f32Weight,
  onEveryBackend,
  randomTensor,
  randomWeight,
  relativeRmsError,
  webgpu,
} from './on_every_backend.ts';
import { inBuffers, packedWeight, withBindingLimit } from './packed_weight.ts';

const passOf = (nTokens: number) => ({ nTokens, nPast: 0 });

const product = (type: BlockTypeName, rows: number, columns: number, tokens: number): OpCase => ({
  tensors: { x: randomTensor(tokens + columns, [tokens, columns]) },
  weights: { weight: packedWeight(type, rows, columns, rows) },
  pass: passOf(tokens),
});

// Halves from 2048 on are 2 apart, so 2048 + 1 is 2048 again, while 1 + 1 + 2050 is 2052. In the third row the product of
// 1 + 2^-10 with itself is 1 + 2^-9 + 2^-20, and loses its last bit. The fourth overflows.
onEveryBackend(
  'mul_mat_f16 rounds each product and each sum, in the order of the columns',
  mulMatF16,
  {
    tensors: { x: f32([1, 3], [1, 1, 1 + 2 ** -10]) },
    weights: {
      weight: f32Weight(
        [4, 3],
        Float32Array.of(...[2048, 1, 0], ...[1, 1, 2048], ...[0, 0, 1 + 2 ** -10], ...[65_504, 16, 0]),
      ),
    },
    pass: passOf(1),
  },
  ({ data }) => expect([...data]).toEqual([2048, 2052, 1 + 2 ** -9, Infinity]),
);

const exact = await runOp(mulMat, product('F16', 37, 96, 3), 'reference');
onEveryBackend(
  'mul_mat_f16 gives halves, near what mul_mat gives',
  mulMatF16,
  product('F16', 37, 96, 3),
  ({ data }) => {
    expect([...data]).toEqual(Array.from(data, nearestHalf));
    // Of sums of 96 products; measured 8e-4.
    expect(relativeRmsError(data, exact.data)).toBeGreaterThan(1e-4);
    expect(relativeRmsError(data, exact.data)).toBeLessThan(5e-3);
  },
);

onEveryBackend(
  'mul_mat_f16 takes heads and dims as one row and gives heads where params ask for them',
  mulMatF16,
  {
    tensors: { x: randomTensor(1, [3, 5, 40]) },
    weights: { weight: randomWeight(2, [80, 200]) },
    params: { heads: 2 },
    pass: passOf(3),
  },
  ({ shape }) => expect(shape).toEqual([3, 2, 40]),
);

for (const type of blockTypeNames) {
  const columns = Math.max(96, 2 * blockTypes[type].size);
  onEveryBackend(`mul_mat_f16 agrees with the reference on ${type}`, mulMatF16, product(type, 37, columns, 3));
}

for (const [rows, columns, tokens] of [
  [1, 1, 1],
  [7, 31, 2],
  [65, 33, 3],
  [331, 416, 5],
] as const) {
  const title = `mul_mat_f16 agrees with the reference on ${tokens} tokens of ${columns} and ${rows} rows of F32`;
  onEveryBackend(title, mulMatF16, product('F32', rows, columns, tokens));
}

onEveryBackend(
  'mul_mat_f16 passes NaN and infinity on',
  mulMatF16,
  {
    tensors: { x: f32([3, 2], [NaN, 1, -Infinity, 1, 1e30, 1]) },
    weights: { weight: f32Weight([1, 2], Float32Array.of(1, 1)) },
    pass: passOf(3),
  },
  ({ data }) => expect([...data]).toEqual([NaN, -Infinity, Infinity]),
);

test('mul_mat_f16 refuses a token of another length than the weight, in its own name', () =>
  expectRefusal(
    mulMatF16,
    { tensors: { x: randomTensor(1, [2, 31]) }, weights: { weight: randomWeight(1, [3, 32]) }, pass: passOf(2) },
    /Cannot run mul_mat_f16: x is \[2, 31\] and weight is \[3, 32\]; a token of x must have 32 numbers/,
  ));

if (!webgpu) {
  test.skip('mul_mat_f16 across split weights skipped: no WebGPU adapter', () => {});
} else {
  const context = webgpu;
  test('mul_mat_f16 fills the ranges of a weight that is split', async () => {
    const input = product('Q4_0', 83, 512, 3);
    const wanted = await runOp(mulMatF16, input, 'reference');
    const split = await runOp(mulMatF16, input, withBindingLimit(inBuffers(context), 10_000));
    expect([...split.data]).toEqual([...wanted.data]);
  });
}
