import { expect, test } from 'vitest';
import { type OpCase, runOp } from '../../src/engine/run_op.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { mulMat } from '../../src/ops/mul_mat.ts';
import { mulMatTransposed } from '../../src/ops/mul_mat_transposed.ts';
import {
  expectRefusal,
  f32,
  f32Weight,
  isNear,
  onEveryBackend,
  randomTensor,
  randomWeight,
  relativeRmsError,
  webgpu,
} from './on_every_backend.ts';
import { inBuffers, packedWeight, withBindingLimit } from './packed_weight.ts';

const passOf = (nTokens: number) => ({ nTokens, nPast: 0 });

const product = (type: BlockTypeName, rows: number, columns: number, tokens: number): OpCase => ({
  tensors: { x: randomTensor(tokens + columns, [tokens, rows]) },
  weights: { weight: packedWeight(type, rows, columns, rows) },
  pass: passOf(tokens),
});

// Columns (1, -1), (2, 0) and (3, 4) times (5, 6) and (1, 0.5).
onEveryBackend(
  'mul_mat_transposed gives each token one dot product per column',
  mulMatTransposed,
  {
    tensors: { x: f32([2, 2], [5, 6, 1, 0.5]) },
    weights: { weight: f32Weight([2, 3], Float32Array.of(1, 2, 3, -1, 0, 4)) },
    pass: passOf(2),
  },
  isNear([-1, 10, 39, 0.5, 2, 5]),
);

test('mul_mat_transposed takes a direction back through mul_mat: x · (weight z) is y · z', async () => {
  const weight = randomWeight(1, [30, 24]);
  const [x, z] = [randomTensor(2, [1, 30]), randomTensor(3, [1, 24])];
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
  const after = await runOp(mulMat, { tensors: { x: z }, weights: { weight }, pass: passOf(1) }, 'reference');
  const before = await runOp(mulMatTransposed, { tensors: { x }, weights: { weight }, pass: passOf(1) }, 'reference');
  expect(dot(before.data, z.data)).toBeCloseTo(dot(x.data, after.data), 10);
});

onEveryBackend(
  'mul_mat_transposed gives heads where params ask for them',
  mulMatTransposed,
  { ...product('F32', 50, 200, 1), params: { heads: 5 } },
  ({ shape }) => expect(shape).toEqual([1, 5, 40]),
);

for (const type of blockTypeNames) {
  const columns = Math.max(96, 2 * blockTypes[type].size);
  onEveryBackend(`mul_mat_transposed agrees with f64 on ${type}`, mulMatTransposed, product(type, 37, columns, 1));
}

for (const [rows, columns, tokens] of [
  [1, 1, 1],
  [7, 31, 2],
  [8, 32, 7],
  [65, 33, 3],
  [331, 416, 5],
  [5632, 64, 1],
] as const) {
  const title = `mul_mat_transposed agrees with f64 on ${tokens} tokens of ${rows} and ${columns} columns of F32`;
  onEveryBackend(title, mulMatTransposed, product('F32', rows, columns, tokens));
}

test('mul_mat_transposed refuses a token whose length is not the number of rows', () =>
  expectRefusal(
    mulMatTransposed,
    { tensors: { x: randomTensor(1, [2, 8]) }, weights: { weight: randomWeight(1, [3, 32]) }, pass: passOf(2) },
    /Cannot run mul_mat_transposed: x is \[2, 8\] and weight is \[3, 32\]; a token of x must have 3 numbers/,
  ));

test('mul_mat_transposed refuses heads that do not divide the columns', () =>
  expectRefusal(
    mulMatTransposed,
    { ...product('F32', 3, 32, 1), params: { heads: 3 } },
    /its param heads is 3; it must be a whole number that divides the weight's 32 columns/,
  ));

if (!webgpu) {
  test.skip('mul_mat_transposed across split weights skipped: no WebGPU adapter', () => {});
} else {
  const context = webgpu;
  test.each(['F32', 'Q4_0', 'Q6_K'] as const)(
    'mul_mat_transposed adds the ranges of a %s weight that is split',
    async (type) => {
      const input = product(type, 83, 512, 3);
      const wanted = await runOp(mulMatTransposed, input, 'reference');
      const split = await runOp(mulMatTransposed, input, withBindingLimit(inBuffers(context), 40_000));
      const tolerance = mulMatTransposed.tolerance({ weight: [83, 512] });
      expect(relativeRmsError(split.data, wanted.data)).toBeLessThanOrEqual(tolerance);
    },
  );
}
