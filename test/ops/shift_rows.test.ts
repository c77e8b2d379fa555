import { test } from 'vitest';
import { shiftRows } from '../../src/ops/shift_rows.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 3, nPast: 0 };
const x = f32([3, 2], [1, 2, 3, 4, 5, 6]);

onEveryBackend(
  'shift_rows gives each token the row before, and the first its own',
  shiftRows,
  { tensors: { x }, params: { by: 1 }, pass },
  isNear([1, 2, 1, 2, 3, 4]),
);

onEveryBackend(
  'shift_rows by more than there are rows gives the first everywhere',
  shiftRows,
  { tensors: { x }, params: { by: 7 }, pass },
  isNear([1, 2, 1, 2, 1, 2]),
);

onEveryBackend('shift_rows agrees with the reference on 5 rows of 1021', shiftRows, {
  tensors: { x: randomTensor(1, [5, 1021]) },
  params: { by: 2 },
  pass,
});

test('shift_rows refuses to shift by nothing', () =>
  expectRefusal(
    shiftRows,
    { tensors: { x }, params: { by: 0 }, pass },
    /its param by is 0; it must be a whole number/,
  ));
