import { expect } from 'vitest';
import { gelu } from '../../src/ops/gelu.ts';
import { f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

// x · Φ(x) at 1 is 0.841345 and the tanh formula gives 0.841192; both are 0 at 0.
onEveryBackend(
  'gelu is its tanh formula at 0, 1 and -1',
  gelu,
  { tensors: { x: f32([3], [0, 1, -1]) }, pass },
  isNear([0, 0.8411919906, -0.1588080094]),
);

onEveryBackend(
  'gelu(x) - gelu(-x) is x, also where exp would overflow',
  gelu,
  { tensors: { x: f32([2, 3], [0.5, 3, 40, -0.5, -3, -40]) }, pass },
  ({ data }) => {
    for (const [i, x] of [0.5, 3, 40].entries()) expect(data[i]! - data[i + 3]!).toBeCloseTo(x, 5);
  },
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`gelu agrees with f64 on ${size} elements`, gelu, {
    tensors: { x: randomTensor(size, [1, size], 2) },
    pass,
  });
}
