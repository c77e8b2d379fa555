import { expect, test } from 'vitest';
import { mul } from '../../src/ops/mul.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

onEveryBackend(
  'mul multiplies element by element',
  mul,
  { tensors: { a: f32([1, 3], [1, -2, 3]), b: f32([1, 3], [10, 0.5, 0]) }, pass },
  isNear([10, -1, 0]),
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`mul agrees with f64 on ${size} elements`, mul, {
    tensors: { a: randomTensor(size, [size]), b: randomTensor(size + 1, [size]) },
    pass,
  });
}

const ones = f32([7], new Array(7).fill(1));
onEveryBackend(
  'mul by one changes nothing, NaN and infinities included',
  mul,
  { tensors: { a: f32([7], [0, -1.5, 1e-30, 3e38, Number.NaN, Infinity, -Infinity]), b: ones }, pass },
  ({ data }) =>
    expect([...data]).toEqual([0, -1.5, Math.fround(1e-30), Math.fround(3e38), Number.NaN, Infinity, -Infinity]),
);

test('mul refuses two shapes and names both', () =>
  expectRefusal(mul, { tensors: { a: f32([2], [1, 2]), b: f32([1], [1]) }, pass }, /a is \[2\] and b is \[1\]/));
