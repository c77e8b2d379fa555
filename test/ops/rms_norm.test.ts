import { expect, test } from 'vitest';
import { rmsNorm } from '../../src/ops/rms_norm.ts';
import {
  expectRefusal,
  f32,
  f32Weight,
  isNear,
  onEveryBackend,
  randomTensor,
  randomWeight,
} from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

// Row 0: mean square (9 + 16) / 2, plus eps 13. Row 1: mean square 7 / 2, plus eps 4.
onEveryBackend(
  'rms_norm divides by the root of the mean square plus eps',
  rmsNorm,
  {
    tensors: { x: f32([2, 2], [3, 4, 0, Math.sqrt(7)]) },
    weights: { weight: f32Weight([2], Float32Array.of(1, 2)) },
    params: { eps: 0.5 },
    pass,
  },
  isNear([3 / Math.sqrt(13), 8 / Math.sqrt(13), 0, (2 * Math.sqrt(7)) / 2]),
);

const ones = f32Weight([300], new Float32Array(300).fill(1));
onEveryBackend(
  'rms_norm gives rows an RMS of 1',
  rmsNorm,
  { tensors: { x: randomTensor(1, [5, 300], 40) }, weights: { weight: ones }, params: { eps: 0 }, pass },
  ({ data }) => {
    for (let row = 0; row < 5; row++) {
      const squares = Array.from(data.subarray(row * 300, (row + 1) * 300), (v) => v * v);
      expect(Math.sqrt(squares.reduce((a, b) => a + b) / 300)).toBeCloseTo(1, 6);
    }
  },
);

for (const [rows, embd] of [
  [1, 1],
  [3, 257],
  [7, 2053],
  [2, 16_411],
] as const) {
  onEveryBackend(`rms_norm agrees with f64 on ${rows} rows of ${embd}`, rmsNorm, {
    tensors: { x: randomTensor(rows, [rows, embd]) },
    weights: { weight: randomWeight(embd, [embd]) },
    params: { eps: 1e-5 },
    pass,
  });
}

onEveryBackend(
  'rms_norm turns a row with a NaN into NaN and leaves the others',
  rmsNorm,
  {
    tensors: { x: f32([2, 3], [1, Number.NaN, 2, 1, 2, 3]) },
    weights: { weight: f32Weight([3], Float32Array.of(1, 1, 1)) },
    params: { eps: 1e-5 },
    pass,
  },
  ({ data }) => expect(Array.from(data, Number.isNaN)).toEqual([true, true, true, false, false, false]),
);

test('rms_norm refuses a weight of another length and says which', () =>
  expectRefusal(
    rmsNorm,
    { tensors: { x: f32([1, 3], [1, 2, 3]) }, weights: { weight: randomWeight(1, [4]) }, params: { eps: 0 }, pass },
    /Cannot run rms_norm: x is \[1, 3\] and weight is \[1, 4\]; weight must be one row of 3/,
  ));
