import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { kqv } from '../../src/ops/kqv.ts';
import { kqvUntransposed } from '../../src/ops/kqv_untransposed.ts';
import { f32, isNear, onEveryBackend, randomTensor, relativeRmsError } from './on_every_backend.ts';

// One head whose two keys hold [1, 2] and [3, 4]: read as [dim, key], dimension 0 has 1 and 2, dimension 1 has 3 and 4.
onEveryBackend(
  'kqv_untransposed takes neighbours in memory for the keys of one dimension',
  kqvUntransposed,
  { tensors: { x: f32([1, 1, 2], [10, 1]), v: f32([2, 1, 2], [1, 2, 3, 4]) }, pass: { nTokens: 1, nPast: 1 } },
  isNear([12, 34]),
);

for (const [tokens, past, heads, kvHeads, dim] of [
  [1, 0, 1, 1, 1],
  [7, 6, 6, 2, 37],
  [1, 64, 5, 1, 40],
] as const) {
  const input = {
    tensors: {
      x: randomTensor(dim, [heads, tokens, past + tokens]),
      v: randomTensor(1, [past + tokens, kvHeads, dim]),
    },
    pass: { nTokens: tokens, nPast: past },
  };
  const title = `kqv_untransposed agrees with f64 on ${tokens} tokens after ${past}, ${heads}/${kvHeads} heads of ${dim}`;
  onEveryBackend(title, kqvUntransposed, input);
}

test('kqv_untransposed is kqv where there is one key', async () => {
  const tensors = { x: f32([2, 1, 1], [1, 1]), v: randomTensor(3, [1, 1, 8]) };
  const input = { tensors, pass: { nTokens: 1, nPast: 0 } };
  const [wrong, right] = [await runOp(kqvUntransposed, input, 'reference'), await runOp(kqv, input, 'reference')];
  expect(relativeRmsError(wrong.data, right.data)).toBe(0);
});
