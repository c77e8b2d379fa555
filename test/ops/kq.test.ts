import { expect, test } from 'vitest';
import { kq } from '../../src/ops/kq.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

// Two tokens, one head of two dimensions: [[1, 2], [3, 4]] against the keys [[1, 0], [10, 1]].
onEveryBackend(
  'kq gives each head, token and key their dot product, unscaled and unmasked',
  kq,
  { tensors: { q: f32([2, 1, 2], [1, 2, 3, 4]), k: f32([2, 1, 2], [1, 0, 10, 1]) }, pass: { nTokens: 2, nPast: 0 } },
  isNear([1, 12, 3, 34]),
);

// Six heads, three KV heads of one dimension with keys 1, 10, 100: heads 0 and 1 read the first, 2 and 3 the second, …
onEveryBackend(
  'kq lets neighbouring heads share a KV head',
  kq,
  {
    tensors: { q: f32([1, 6, 1], [1, 2, 3, 4, 5, 6]), k: f32([1, 3, 1], [1, 10, 100]) },
    pass: { nTokens: 1, nPast: 0 },
  },
  ({ shape, data }) => {
    expect(shape).toEqual([6, 1, 1]);
    expect([...data]).toEqual([1, 2, 30, 40, 500, 600]);
  },
);

for (const [tokens, past, heads, kvHeads, dim] of [
  [1, 0, 1, 1, 1],
  [1, 64, 5, 1, 40],
  [7, 6, 6, 2, 37],
  [5, 60, 3, 3, 129],
  [1, 2047, 8, 2, 32],
] as const) {
  onEveryBackend(`kq agrees with f64 on ${tokens} tokens after ${past}, ${heads}/${kvHeads} heads of ${dim}`, kq, {
    tensors: { q: randomTensor(dim, [tokens, heads, dim]), k: randomTensor(heads, [past + tokens, kvHeads, dim]) },
    pass: { nTokens: tokens, nPast: past },
  });
}

// 65,537 KV heads make as many workgroups, one more than a dimension holds with the default limits.
onEveryBackend('kq lays more than 65,535 workgroups out in two dimensions', kq, {
  tensors: { q: randomTensor(1, [1, 65_537, 1]), k: randomTensor(2, [1, 65_537, 1]) },
  pass: { nTokens: 1, nPast: 0 },
});

test('kq refuses heads that do not divide and a cache of another length', async () => {
  const q = randomTensor(1, [2, 5, 4]);
  const pass = { nTokens: 2, nPast: 1 };
  await expectRefusal(kq, { tensors: { q, k: randomTensor(2, [3, 2, 4]) }, pass }, /5 heads cannot share 2 KV heads/);
  await expectRefusal(
    kq,
    { tensors: { q, k: randomTensor(2, [2, 5, 4]) }, pass },
    /the cache is \[2, 5, 4\]; it must hold 1 past and 2 new tokens/,
  );
});

// As above, but the list of KV heads is repeated as a whole: heads 0 and 3 read the first, 1 and 4 the second, …
onEveryBackend(
  'kq with tiled groups lets heads take turns over the KV heads',
  kq,
  {
    tensors: { q: f32([1, 6, 1], [1, 2, 3, 4, 5, 6]), k: f32([1, 3, 1], [1, 10, 100]) },
    params: { grouping: 'tiled' },
    pass: { nTokens: 1, nPast: 0 },
  },
  ({ data }) => expect([...data]).toEqual([1, 20, 300, 4, 50, 600]),
);

onEveryBackend('kq with tiled groups agrees with f64 on 7 tokens after 6, 6/2 heads of 37', kq, {
  tensors: { q: randomTensor(37, [7, 6, 37]), k: randomTensor(6, [13, 2, 37]) },
  params: { grouping: 'tiled' },
  pass: { nTokens: 7, nPast: 6 },
});

test('kq refuses a grouping that it does not know', () =>
  expectRefusal(
    kq,
    {
      tensors: { q: randomTensor(1, [1, 2, 4]), k: randomTensor(2, [1, 2, 4]) },
      params: { grouping: 'odd' },
      pass: { nTokens: 1, nPast: 0 },
    },
    /its param grouping is odd; it must be repeated or tiled/,
  ));
