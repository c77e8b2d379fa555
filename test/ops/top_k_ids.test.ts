import { expect, test } from 'vitest';
import { topKIds } from '../../src/ops/top_k_ids.ts';
import { expectRefusal, f32, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
const gives =
  (...ids: number[]) =>
  ({ data }: { data: ArrayLike<number> }) =>
    expect(Array.from(data)).toEqual(ids);

onEveryBackend(
  'top_k_ids gives each row the ids of its greatest, greatest first',
  topKIds,
  { tensors: { x: f32([2, 4], [3, 9, -1, 5, -4, -3, -2, -1]) }, params: { k: 3 }, pass },
  gives(1, 3, 0, 3, 2, 1),
);

onEveryBackend(
  'top_k_ids gives equal values by rising id, and takes -0 for 0',
  topKIds,
  { tensors: { x: f32([1, 6], [-0, 0, 7, -0, 7, -1]) }, params: { k: 6 }, pass },
  gives(2, 4, 0, 1, 3, 5),
);

onEveryBackend(
  'top_k_ids puts NaN first, then +Inf, and -Inf last',
  topKIds,
  { tensors: { x: f32([1, 5], [-Infinity, 1, Infinity, Number.NaN, -3e38]) }, params: { k: 5 }, pass },
  gives(3, 2, 1, 4, 0),
);

const row = randomTensor(9, [1, 1009]);
onEveryBackend(
  'top_k_ids with k the whole row is a sort',
  topKIds,
  { tensors: { x: row }, params: { k: 1009 }, pass },
  gives(...Array.from({ length: 1009 }, (_, i) => i).sort((a, b) => row.data[b]! - row.data[a]! || a - b)),
);

for (const [tokens, vocab, k] of [
  [1, 1, 1],
  [5, 257, 10],
  [2, 32_003, 5],
  [1, 128_256, 10],
] as const) {
  onEveryBackend(`top_k_ids agrees with the reference on ${tokens} rows of ${vocab}`, topKIds, {
    tensors: { x: randomTensor(vocab, [tokens, vocab]) },
    params: { k },
    pass,
  });
}

test('top_k_ids refuses k above the row and k that is no count', async () => {
  const x = f32([1, 2], [1, 2]);
  await expectRefusal(
    topKIds,
    { tensors: { x }, params: { k: 3 }, pass },
    /k is 3; it must be a whole number from 1 to the row's 2/,
  );
  await expectRefusal(topKIds, { tensors: { x }, params: { k: 0.5 }, pass }, /k is 0.5/);
});
