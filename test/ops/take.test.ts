import { expect, test } from 'vitest';
import { take } from '../../src/ops/take.ts';
import { expectRefusal, f32, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

onEveryBackend(
  'take gives each row its values at the ids, bit by bit',
  take,
  { tensors: { x: f32([2, 3], [10, 11, Number.NaN, 20, 21, 22]), ids: f32([2, 2], [2, 0, 1, 1]) }, pass },
  ({ data }) => expect([...data]).toEqual([Number.NaN, 10, 21, 21]),
);

onEveryBackend(
  'take gives NaN, not a neighbour, where an id is not in the row',
  take,
  { tensors: { x: f32([1, 3], [1, 2, 3]), ids: f32([1, 4], [3, -1, 2, 16_777_216]) }, pass },
  ({ data }) => expect([...data]).toEqual([Number.NaN, Number.NaN, 3, Number.NaN]),
);

for (const [tokens, vocab, k] of [
  [1, 1, 1],
  [3, 257, 257],
  [2, 128_256, 13],
] as const) {
  onEveryBackend(`take agrees with the reference on ${k} of ${vocab}`, take, {
    tensors: {
      x: randomTensor(vocab, [tokens, vocab]),
      ids: f32(
        [tokens, k],
        Float32Array.from({ length: tokens * k }, (_, i) => (i * 7919) % vocab),
      ),
    },
    pass,
  });
}

test('take refuses ids of other rows', () =>
  expectRefusal(
    take,
    { tensors: { x: f32([2, 1], [1, 2]), ids: f32([1, 1], [0]) }, pass },
    /x is \[2, 1\] and ids is \[1, 1\]; their first axes must be equal/,
  ));
