import { expect } from 'vitest';
import { halfAsFloat, halfBits } from '../../src/gguf/half.ts';
import { roundF16 } from '../../src/ops/round_f16.ts';
import { seeded } from '../seeded.ts';
import { type Check, f32, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
const isExactly =
  (values: ArrayLike<number>): Check =>
  ({ data }) =>
    expect(Float32Array.from(data)).toEqual(Float32Array.from(values));

// Halves near 1 are 2^-10 apart, below 2^-14 they are 2^-24 apart; the largest is 65504, and 65520 is halfway to 65536.
const byHand: readonly (readonly [x: number, half: number])[] = [
  [1 + 2 ** -11, 1],
  [1 + 3 * 2 ** -11, 1 + 2 ** -9],
  [-1 - 2 ** -11 - 2 ** -20, -1 - 2 ** -10],
  [65_519, 65_504],
  [65_520, Infinity],
  [-1e30, -Infinity],
  [2 ** -25, 0],
  [3 * 2 ** -26, 2 ** -24],
  [-5 * 2 ** -25, -2 * 2 ** -24],
  [2 ** -14 - 2 ** -25, 2 ** -14],
  [-1e-40, -0],
  [-0, -0],
  [-Infinity, -Infinity],
  [Number.NaN, Number.NaN],
];
onEveryBackend(
  'round_f16 gives the nearest half, of two the even one, down to subnormals and up to infinity',
  roundF16,
  {
    tensors: {
      x: f32(
        [1, byHand.length],
        byHand.map(([x]) => x),
      ),
    },
    pass,
  },
  isExactly(byHand.map(([, half]) => half)),
);

onEveryBackend(
  'round_f16 leaves every half as it is',
  roundF16,
  { tensors: { x: f32([256, 256], halfAsFloat) }, pass },
  isExactly(halfAsFloat),
);

const random = seeded(1);
const bits = Uint32Array.from({ length: 10_007 }, () => Math.floor(random() * 2 ** 32));
const anything = new Float32Array(bits.buffer);
onEveryBackend(
  "round_f16 gives what gguf's halves give, for any 10,007 patterns of bits",
  roundF16,
  { tensors: { x: f32([1, 10_007], anything) }, pass },
  isExactly(Array.from(anything, (x) => halfAsFloat[halfBits(x)]!)),
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`round_f16 agrees with the reference on ${size} elements`, roundF16, {
    tensors: { x: randomTensor(size, [1, size], 300) },
    pass,
  });
}
