import { expect, test } from 'vitest';
import { type OpCase, runOp } from '../../src/engine/run_op.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { getRows } from '../../src/ops/get_rows.ts';
import { expectRefusal, f32, f32Weight, isNear, onEveryBackend, webgpu } from './on_every_backend.ts';
import { inBuffers, packedWeight, withBindingLimit } from './packed_weight.ts';

const rowsOf = (type: BlockTypeName, rows: number, columns: number, tokens: readonly number[]): OpCase => ({
  tensors: { tokens: f32([tokens.length], tokens) },
  weights: { weight: packedWeight(type, rows, columns, columns) },
  pass: { nTokens: tokens.length, nPast: 0 },
});

onEveryBackend(
  'get_rows gives each token its row, repeated ones too',
  getRows,
  {
    tensors: { tokens: f32([4], [2, 0, 2, 1]) },
    weights: { weight: f32Weight([3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)) },
    pass: { nTokens: 4, nPast: 0 },
  },
  isNear([5, 6, 1, 2, 5, 6, 3, 4]),
);

for (const type of blockTypeNames) {
  const input = rowsOf(type, 41, Math.max(96, 2 * blockTypes[type].size), [40, 0, 7, 8, 17]);
  onEveryBackend(`get_rows agrees with src/gguf on ${type}`, getRows, input);
}

for (const columns of [1, 31, 33, 200]) {
  onEveryBackend(`get_rows agrees with src/gguf on rows of ${columns}`, getRows, rowsOf('F16', 9, columns, [8, 3]));
}

onEveryBackend('get_rows holds 2,053 tokens of a 331-word vocabulary', getRows, {
  ...rowsOf(
    'Q8_0',
    331,
    64,
    Array.from({ length: 2053 }, (_, i) => (i * 7) % 331),
  ),
});

test('get_rows refuses a token that has no row and says which rows there are', () =>
  expectRefusal(getRows, rowsOf('F32', 5, 4, [1, 5]), /token 5 has no row; the weight has rows 0 to 4/));

const context = webgpu;
if (!context) {
  test.skip('get_rows across split weights skipped: no WebGPU adapter', () => {});
} else {
  for (const type of ['F32', 'Q4_0', 'Q6_K'] as const) {
    test(`get_rows finds every token of a ${type} weight that is split`, async () => {
      const input = rowsOf(type, 83, 512, [82, 0, 15, 16, 23, 24, 47, 48, 81]);
      const split = await runOp(getRows, input, withBindingLimit(inBuffers(context), 40_000));
      expect(split.data).toEqual((await runOp(getRows, input, context)).data);
    });
  }
}
