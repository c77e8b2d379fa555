import { test } from 'vitest';
import { scale } from '../../src/ops/scale.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };
const x = f32([3], [1, -2, 0.25]);

onEveryBackend('scale multiplies', scale, { tensors: { x }, params: { factor: -4 }, pass }, isNear([-4, 8, -1]));
onEveryBackend('scale by 0 silences', scale, { tensors: { x }, params: { factor: 0 }, pass }, isNear([0, 0, 0]));

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`scale agrees with f64 on ${size} elements`, scale, {
    tensors: { x: randomTensor(size, [1, size]) },
    params: { factor: 0.3 },
    pass,
  });
}

test('scale refuses a step without a factor', () =>
  expectRefusal(scale, { tensors: { x }, pass }, /its param factor is undefined; it must be a finite number/));
