import { expect, test } from 'vitest';
import { add } from '../../src/ops/add.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

onEveryBackend(
  'add adds element by element',
  add,
  { tensors: { a: f32([1, 3], [1, -2, 3]), b: f32([1, 3], [10, 0.5, -3]) }, pass },
  isNear([11, -1.5, 0]),
);

const b = randomTensor(2, [3, 257]);
onEveryBackend(
  'add rounds once: it gives the f64 sum rounded to f32',
  add,
  { tensors: { a: randomTensor(1, [3, 257], 1e3), b }, pass },
  ({ data }) => {
    const a = randomTensor(1, [3, 257], 1e3).data;
    expect(Array.from(data, Math.fround)).toEqual(Array.from(a, (value, i) => Math.fround(value + b.data[i]!)));
  },
);

for (const size of [1, 257, 65_537]) {
  onEveryBackend(`add agrees with f64 on ${size} elements`, add, {
    tensors: { a: randomTensor(size, [size]), b: randomTensor(size + 1, [size]) },
    pass,
  });
}

onEveryBackend(
  'add passes NaN and infinities on',
  add,
  { tensors: { a: f32([3], [Number.NaN, Infinity, 1]), b: f32([3], [1, 1, -Infinity]) }, pass },
  ({ data }) => expect([...data]).toEqual([Number.NaN, Infinity, -Infinity]),
);

test('add refuses two shapes and names both', () =>
  expectRefusal(
    add,
    { tensors: { a: f32([3], [1, 2, 3]), b: f32([1, 3], [1, 2, 3]) }, pass },
    /a is \[3\] and b is \[1, 3\]/,
  ));

test('add refuses an input it does not have', () =>
  expectRefusal(
    add,
    { tensors: { x: f32([1], [1]) }, pass },
    /Cannot run add: it has no input x; its inputs are a, b/,
  ));

test('add refuses to run without one of its inputs', () =>
  expectRefusal(add, { tensors: { a: f32([1], [1]) }, pass }, /Cannot run add: its input b is missing/));
