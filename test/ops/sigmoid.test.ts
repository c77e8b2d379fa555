import { expect } from 'vitest';
import { sigmoid } from '../../src/ops/sigmoid.ts';
import { f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

// σ(0) = 1/2, σ(ln 3) = 3/4, σ(-ln 3) = 1/4.
onEveryBackend(
  'sigmoid is a half at zero and three quarters at ln 3',
  sigmoid,
  { tensors: { x: f32([3], [0, Math.log(3), -Math.log(3)]) }, pass },
  isNear([0.5, 0.75, 0.25]),
);

onEveryBackend(
  'sigmoid of x and of -x add up to 1, also where exp would overflow',
  sigmoid,
  { tensors: { x: f32([2, 3], [0.5, 20, 300, -0.5, -20, -300]) }, pass },
  ({ data }) => {
    for (const i of [0, 1, 2]) expect(data[i]! + data[i + 3]!).toBeCloseTo(1, 6);
  },
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`sigmoid agrees with f64 on ${size} elements`, sigmoid, {
    tensors: { x: randomTensor(size, [1, size], 4) },
    pass,
  });
}
