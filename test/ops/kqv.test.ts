import { expect, test } from 'vitest';
import { kqv } from '../../src/ops/kqv.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

// One head, two tokens: token 0 takes value 0, token 1 a quarter of it and three quarters of value 1.
onEveryBackend(
  'kqv gathers the values that the pattern points at',
  kqv,
  {
    tensors: { x: f32([1, 2, 2], [1, 0, 0.25, 0.75]), v: f32([2, 1, 2], [4, 8, 0, 4]) },
    pass: { nTokens: 2, nPast: 0 },
  },
  isNear([4, 8, 1, 5]),
);

onEveryBackend(
  'kqv lets neighbouring heads share a KV head and puts tokens first',
  kqv,
  { tensors: { x: f32([4, 1, 1], [1, 2, 3, 4]), v: f32([1, 2, 1], [1, 10]) }, pass: { nTokens: 1, nPast: 0 } },
  ({ shape, data }) => {
    expect(shape).toEqual([1, 4, 1]);
    expect([...data]).toEqual([1, 2, 30, 40]);
  },
);

for (const [tokens, past, heads, kvHeads, dim] of [
  [1, 0, 1, 1, 1],
  [1, 64, 5, 1, 40],
  [7, 6, 6, 2, 37],
  [5, 60, 3, 3, 129],
  [1, 2047, 8, 2, 32],
] as const) {
  onEveryBackend(`kqv agrees with f64 on ${tokens} tokens after ${past}, ${heads}/${kvHeads} heads of ${dim}`, kqv, {
    tensors: {
      x: randomTensor(dim, [heads, tokens, past + tokens]),
      v: randomTensor(heads, [past + tokens, kvHeads, dim]),
    },
    pass: { nTokens: tokens, nPast: past },
  });
}

test('kqv refuses a pattern over another number of keys', () =>
  expectRefusal(
    kqv,
    { tensors: { x: randomTensor(1, [1, 2, 3]), v: randomTensor(2, [2, 1, 4]) }, pass: { nTokens: 2, nPast: 0 } },
    /x is \[1, 2, 3\] and v is \[2, 1, 4\]; x's last axis must be v's first/,
  ));

// Six heads, three KV heads of one dimension with values 1, 10, 100; the list of KV heads is repeated as a whole.
onEveryBackend(
  'kqv with tiled groups lets heads take turns over the KV heads',
  kqv,
  {
    tensors: { x: f32([6, 1, 1], [1, 2, 3, 4, 5, 6]), v: f32([1, 3, 1], [1, 10, 100]) },
    params: { grouping: 'tiled' },
    pass: { nTokens: 1, nPast: 0 },
  },
  isNear([1, 20, 300, 4, 50, 600]),
);
