import { expect } from 'vitest';
import { silu } from '../../src/ops/silu.ts';
import { f32, isNear, onEveryBackend, randomTensor, relativeRmsError } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

// silu(ln 3) = ln 3 · 3/4, because 1 / (1 + e^-ln 3) = 3/4.
onEveryBackend(
  'silu is x times its own sigmoid',
  silu,
  { tensors: { x: f32([3], [0, Math.log(3), -Math.log(3)]) }, pass },
  isNear([0, 0.75 * Math.log(3), -0.25 * Math.log(3)]),
);

// x · σ(x) - (-x) · σ(-x) = x (σ(x) + σ(-x)) = x.
onEveryBackend(
  'silu(x) - silu(-x) is x',
  silu,
  { tensors: { x: f32([2, 3], [0.5, 3, 20, -0.5, -3, -20]) }, pass },
  ({ data }) => {
    for (const [i, x] of [0.5, 3, 20].entries()) expect(data[i]! - data[i + 3]!).toBeCloseTo(x, 5);
  },
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`silu agrees with f64 on ${size} elements`, silu, {
    tensors: { x: randomTensor(size, [1, size], 4) },
    pass,
  });
}

const sweep = f32(
  [1, 1741],
  Float32Array.from({ length: 1741 }, (_, i) => (i - 870) / 10),
);
onEveryBackend(
  'silu is right to 5e-7 at every single x from -87 to 87, not only where it is large',
  silu,
  { tensors: { x: sweep }, pass },
  ({ data }) => {
    for (const [i, x] of sweep.data.entries()) {
      expect(relativeRmsError([data[i]!], [x / (1 + Math.exp(-x))]), `silu(${x})`).toBeLessThanOrEqual(5e-7);
    }
  },
);

onEveryBackend(
  'silu goes to 0 far below zero and to x far above, and passes NaN on',
  silu,
  { tensors: { x: f32([4], [-3e4, 3e4, Infinity, Number.NaN]) }, pass },
  ({ data }) => {
    expect(Math.abs(data[0]!)).toBe(0);
    expect([...data.subarray(1)]).toEqual([3e4, Infinity, Number.NaN]);
  },
);
