import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { rms } from '../../src/ops/rms.ts';
import { rmsNorm } from '../../src/ops/rms_norm.ts';
import { expectRefusal, f32, f32Weight, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

// Row 0: mean square (9 + 16) / 2, plus eps 13. Row 1: mean square 7 / 2, plus eps 4.
onEveryBackend(
  'rms is the root of the mean square plus eps',
  rms,
  { tensors: { x: f32([2, 2], [3, 4, 0, Math.sqrt(7)]) }, params: { eps: 0.5 }, pass },
  isNear([Math.sqrt(13), 2]),
);

for (const [rows, embd] of [
  [1, 1],
  [3, 257],
  [7, 2053],
  [2, 16_411],
] as const) {
  const tensors = { x: randomTensor(rows, [rows, embd]) };
  onEveryBackend(`rms agrees with f64 on ${rows} rows of ${embd}`, rms, { tensors, params: { eps: 1e-5 }, pass });
}

test('rms is what rms_norm divides by', async () => {
  const x = randomTensor(3, [5, 40]);
  const ones = f32Weight([40], new Float32Array(40).fill(1));
  const params = { eps: 0.25 };
  const normed = await runOp(rmsNorm, { tensors: { x }, weights: { weight: ones }, params, pass }, 'reference');
  const { shape, data } = await runOp(rms, { tensors: { x }, params, pass }, 'reference');
  expect(shape).toEqual([5, 1]);
  for (const [i, y] of normed.data.entries()) expect(y * data[Math.floor(i / 40)]!).toBeCloseTo(x.data[i]!, 12);
});

onEveryBackend(
  'rms turns a row with a NaN into NaN and leaves the others',
  rms,
  { tensors: { x: f32([2, 3], [1, Number.NaN, 2, 1, 1, 1]) }, params: { eps: 0 }, pass },
  ({ data }) => expect([...data]).toEqual([Number.NaN, 1]),
);

test('rms refuses to run without eps', () =>
  expectRefusal(rms, { tensors: { x: f32([1, 1], [1]) }, pass }, /its param eps is undefined/));
