import { expect, test } from 'vitest';
import { rowDot } from '../../src/ops/row_dot.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

onEveryBackend(
  'row_dot multiplies every token with the one direction',
  rowDot,
  { tensors: { x: f32([2, 3], [1, 2, 3, 0, -1, 4]), direction: f32([1, 3], [10, 1, 0.5]) }, pass },
  isNear([13.5, 1]),
);

onEveryBackend(
  'row_dot gives each head its own direction, and tokens stay first',
  rowDot,
  { tensors: { x: f32([2, 2, 1], [1, 2, 3, 4]), direction: f32([1, 2, 1], [10, 100]) }, pass },
  ({ shape, data }) => {
    expect(shape).toEqual([2, 2]);
    expect([...data]).toEqual([10, 200, 30, 400]);
  },
);

for (const shape of [
  [1, 1],
  [3, 257],
  [2, 16_411],
  [5, 7, 37],
  [331, 8, 32],
] as const) {
  onEveryBackend(`row_dot agrees with f64 on ${shape.join(' × ')}`, rowDot, {
    tensors: { x: randomTensor(shape[0], shape), direction: randomTensor(77, [1, ...shape.slice(1)]) },
    pass,
  });
}

test('row_dot refuses a direction of other heads', () =>
  expectRefusal(
    rowDot,
    { tensors: { x: randomTensor(1, [2, 4, 8]), direction: randomTensor(2, [1, 2, 8]) }, pass },
    /Cannot run row_dot: x is \[2, 4, 8\] and direction is \[1, 2, 8\]; wanted/,
  ));
