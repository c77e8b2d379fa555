import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { roundQ8_K } from '../../src/ops/round_q8_k.ts';
import { seeded } from '../seeded.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
/** 256 numbers that begin so; zeros after them. */
const block = (...numbers: number[]) => [...numbers, ...new Array<number>(256 - numbers.length).fill(0)];

// A largest of 127 makes d = 1; one of 3 makes d = 3/127, and 1 is 42.33 of it.
onEveryBackend(
  'round_q8_k takes whole numbers of a scale of each 256, ties to even, whatever the sign of the largest',
  roundQ8_K,
  { tensors: { x: f32([1, 512], [...block(0.5, 1.5, -2.5, 126.4, -127), ...block(1, -3)]) }, pass },
  isNear([...block(0, 2, -2, 126, -127), ...block((42 * 3) / 127, -3)]),
);

onEveryBackend(
  'round_q8_k is off by half a step at most, and doubles with x',
  roundQ8_K,
  {
    tensors: { x: f32([2, 512], [...randomTensor(1, [512]).data, ...randomTensor(1, [512]).data.map((x) => 2 * x)]) },
    pass: { nTokens: 2, nPast: 0 },
  },
  ({ data }) => {
    const x = randomTensor(1, [512]).data;
    for (let i = 0; i < 512; i++) {
      const start = i - (i % 256);
      const m = Math.max(...x.subarray(start, start + 256).map(Math.abs));
      expect(Math.abs(data[i]! - x[i]!)).toBeLessThanOrEqual((m / 254) * (1 + 1e-5));
      expect(data[512 + i]).toBe(2 * data[i]!);
    }
  },
);

onEveryBackend(
  'round_q8_k makes a block NaN that holds NaN or infinity, zero one whose scale f32 cannot hold, and leaves the others',
  roundQ8_K,
  {
    tensors: {
      x: f32(
        [1, 1024],
        [NaN, -Infinity, 3e-37, 127].flatMap((x) => block(1e-38, x)),
      ),
    },
    pass,
  },
  ({ data }) => {
    for (let i = 0; i < 512; i++) expect(data[i]).toBeNaN();
    for (let i = 512; i < 1024; i++) expect(Math.abs(data[i]!)).toBe(i === 769 ? 127 : 0);
  },
);

const random = seeded(4);
const wide = Float32Array.from({ length: 256 * 1009 }, () => (2 * random() - 1) * 2 ** (60 * random() - 40));
const ofAnySize = { tensors: { x: f32([1009, 256], wide) }, pass: { nTokens: 1009, nPast: 0 } };
const wanted = Float32Array.from((await runOp(roundQ8_K, ofAnySize, 'reference')).data);
onEveryBackend(
  'round_q8_k gives the same bits on every backend, whatever the size of a block',
  roundQ8_K,
  ofAnySize,
  ({ data }) => expect(data.findIndex((value, i) => Math.fround(value) !== wanted[i])).toBe(-1),
);

for (const [tokens, heads, dim] of [
  [1, 1, 256],
  [65, 1, 256],
  [7, 3, 512],
] as const) {
  onEveryBackend(`round_q8_k agrees with the reference on [${tokens}, ${heads}, ${dim}]`, roundQ8_K, {
    tensors: { x: randomTensor(dim, [tokens, heads, dim], 3) },
    pass: { nTokens: tokens, nPast: 0 },
  });
}

test('round_q8_k refuses a token that is no whole blocks', () =>
  expectRefusal(
    roundQ8_K,
    { tensors: { x: randomTensor(1, [2, 384]) }, pass },
    /Cannot run round_q8_k: x is \[2, 384\]; a token of x must have a multiple of 256 numbers/,
  ));
