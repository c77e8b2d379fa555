import { expect } from 'vitest';
import { roundBf16 } from '../../src/ops/round_bf16.ts';
import { seeded } from '../seeded.ts';
import { type Check, f32, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
const isExactly =
  (values: ArrayLike<number>): Check =>
  ({ data }) =>
    expect(Float32Array.from(data)).toEqual(Float32Array.from(values));

// Near 1 they are 2^-7 apart. The largest is (2 - 2^-7) · 2^127, and halfway from there to 2^128 infinity begins.
const byHand: readonly (readonly [x: number, nearest: number])[] = [
  [1 + 2 ** -8, 1],
  [1 + 3 * 2 ** -8, 1 + 2 ** -6],
  [-1 - 2 ** -8 - 2 ** -20, -1 - 2 ** -7],
  [(2 - 2 ** -7) * 2 ** 127, (2 - 2 ** -7) * 2 ** 127],
  [(2 - 2 ** -8) * 2 ** 127, Infinity],
  [3 * 2 ** -134, 2 ** -132],
  [-(2 ** -134), -0],
  [-Infinity, -Infinity],
  [Number.NaN, Number.NaN],
];
onEveryBackend(
  'round_bf16 gives the nearest bfloat16, of two the even one, denormals and infinity too',
  roundBf16,
  {
    tensors: {
      x: f32(
        [1, byHand.length],
        byHand.map(([x]) => x),
      ),
    },
    pass,
  },
  isExactly(byHand.map(([, nearest]) => nearest)),
);

const random = seeded(2);
const words = Uint32Array.from({ length: 10_007 }, () => Math.floor(random() * 2 ** 16) << 16);
const bfloats = new Float32Array(words.buffer);
onEveryBackend(
  'round_bf16 leaves a bfloat16 as it is',
  roundBf16,
  { tensors: { x: f32([1, 10_007], bfloats) }, pass },
  isExactly(bfloats),
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(
    `round_bf16 agrees with the reference on ${size} elements, each off by 2^-8 of itself at most`,
    roundBf16,
    { tensors: { x: randomTensor(size, [1, size], 300) }, pass },
    ({ data }) => {
      for (const [i, x] of randomTensor(size, [1, size], 300).data.entries()) {
        expect(Math.abs(data[i]! - x)).toBeLessThanOrEqual(Math.abs(x) * 2 ** -8);
      }
    },
  );
}
