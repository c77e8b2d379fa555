import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { roundQ8_0 } from '../../src/ops/round_q8_0.ts';
import { seeded } from '../seeded.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
/** 32 numbers that begin so; zeros after them. */
const block = (...numbers: number[]) => [...numbers, ...new Array<number>(32 - numbers.length).fill(0)];

// A largest of 127 makes d = 1. One of 1 makes d = 1/127 = 0.0078740…, of which the nearest half is 1032 · 2^-17.
onEveryBackend(
  'round_q8_0 takes whole numbers of a scale of each 32, ties to even, and rounds the scale to f16',
  roundQ8_0,
  { tensors: { x: f32([1, 64], [...block(0.5, 1.5, -2.5, 126.4, -127), ...block(1, -0.5)]) }, pass },
  isNear([...block(0, 2, -2, 126, -127), ...block(127 * 1032 * 2 ** -17, -64 * 1032 * 2 ** -17)]),
);

// q comes from 127 / max |x|, not from the rounded d: 0.5 · 127 = 63.5 is a tie and goes to 64; 0.5 / d would be 63.504.
test('round_q8_0 finds q before it rounds the scale', async () => {
  const x = f32([1, 32], block(1, 0.4999));
  const { data } = await runOp(roundQ8_0, { tensors: { x }, pass }, 'reference');
  expect(data[1]! / (1032 * 2 ** -17)).toBe(63);
});

onEveryBackend(
  'round_q8_0 is off by half a step and the rounding of its scale at most, and doubles with x',
  roundQ8_0,
  {
    tensors: { x: f32([2, 320], [...randomTensor(1, [320]).data, ...randomTensor(1, [320]).data.map((x) => 2 * x)]) },
    pass: { nTokens: 2, nPast: 0 },
  },
  ({ data }) => {
    const x = randomTensor(1, [320]).data;
    for (let i = 0; i < 320; i++) {
      const start = i - (i % 32);
      const m = Math.max(...x.subarray(start, start + 32).map(Math.abs));
      expect(Math.abs(data[i]! - x[i]!)).toBeLessThanOrEqual((m / 254) * (1 + 1e-6) + m * 2 ** -11);
      expect(data[320 + i]).toBe(2 * data[i]!);
    }
  },
);

onEveryBackend(
  'round_q8_0 makes a block NaN that holds NaN or infinity or is too large for f16, zero one too small, and leaves the others',
  roundQ8_0,
  {
    tensors: {
      x: f32(
        [1, 160],
        [NaN, -Infinity, 1e7, 3e-6, 127].flatMap((x) => block(1e-9, x)),
      ),
    },
    pass,
  },
  ({ data }) => {
    for (let i = 0; i < 96; i++) expect(data[i]).toBeNaN();
    for (let i = 96; i < 160; i++) expect(Math.abs(data[i]!)).toBe(i === 129 ? 127 : 0);
  },
);

const random = seeded(3);
const wide = Float32Array.from({ length: 32 * 4001 }, () => (2 * random() - 1) * 2 ** (30 * random() - 20));
const ofAnySize = { tensors: { x: f32([4001, 32], wide) }, pass: { nTokens: 4001, nPast: 0 } };
const wanted = Float32Array.from((await runOp(roundQ8_0, ofAnySize, 'reference')).data);
onEveryBackend(
  'round_q8_0 gives the same bits on every backend, whatever the size of a block',
  roundQ8_0,
  ofAnySize,
  ({ data }) => expect(data.findIndex((value, i) => Math.fround(value) !== wanted[i])).toBe(-1),
);

for (const [tokens, heads, dim] of [
  [1, 1, 32],
  [65, 1, 32],
  [7, 5, 416],
] as const) {
  onEveryBackend(`round_q8_0 agrees with the reference on [${tokens}, ${heads}, ${dim}]`, roundQ8_0, {
    tensors: { x: randomTensor(dim, [tokens, heads, dim], 3) },
    pass: { nTokens: tokens, nPast: 0 },
  });
}

test('round_q8_0 refuses a token that is no whole blocks', () =>
  expectRefusal(
    roundQ8_0,
    { tensors: { x: randomTensor(1, [2, 40]) }, pass },
    /Cannot run round_q8_0: x is \[2, 40\]; a token of x must have a multiple of 32 numbers/,
  ));
