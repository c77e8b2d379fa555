import { expect, test } from 'vitest';
import { addBias } from '../../src/ops/add_bias.ts';
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

onEveryBackend(
  'add_bias adds the same row to every token',
  addBias,
  { tensors: { x: f32([2, 2], [1, 2, 3, 4]) }, weights: { weight: f32Weight([2], Float32Array.of(10, 20)) }, pass },
  isNear([11, 22, 13, 24]),
);

onEveryBackend(
  'add_bias takes head and dim together as one row',
  addBias,
  {
    tensors: { x: f32([1, 2, 2], [0, 0, 0, 0]) },
    weights: { weight: f32Weight([4], Float32Array.of(1, 2, 3, 4)) },
    pass,
  },
  ({ shape, data }) => {
    expect(shape).toEqual([1, 2, 2]);
    expect([...data]).toEqual([1, 2, 3, 4]);
  },
);

for (const [tokens, embd] of [
  [1, 1],
  [3, 257],
  [31, 2053],
] as const) {
  onEveryBackend(`add_bias agrees with f64 on ${tokens} tokens of ${embd}`, addBias, {
    tensors: { x: randomTensor(tokens, [tokens, embd]) },
    weights: { weight: randomWeight(embd, [embd]) },
    pass,
  });
}

test('add_bias refuses a bias of another length', () =>
  expectRefusal(
    addBias,
    { tensors: { x: f32([1, 2], [1, 2]) }, weights: { weight: randomWeight(1, [3]) }, pass },
    /x is \[1, 2\] and weight is \[1, 3\]; weight must be one row of 2/,
  ));
