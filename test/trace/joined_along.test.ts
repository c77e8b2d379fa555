import { expect, test } from 'vitest';
import { joinedAlong } from '../../src/trace/joined_along.ts';
import { Tensor } from '../../src/trace/tensor.ts';

const tensor = (shape: readonly number[], dims: readonly string[], data: readonly number[]) =>
  new Tensor({ name: 'x', shape, dims, data: Float32Array.from(data) });

test('passes of tokens follow each other', () => {
  const dims = ['token', 'embd'];
  const whole = joinedAlong([tensor([2, 2], dims, [1, 2, 3, 4]), tensor([1, 2], dims, [5, 6])], 0);
  expect([whole.name, whole.shape, [...whole.data]]).toEqual(['x', [3, 2], [1, 2, 3, 4, 5, 6]]);
});

test('keys that an earlier pass did not have are 0', () => {
  const dims = ['head', 'token', 'key'];
  const whole = joinedAlong([tensor([2, 1, 1], dims, [1, 2]), tensor([2, 1, 2], dims, [3, 4, 5, 6])], 1);
  expect([whole.shape, [...whole.data]]).toEqual([
    [2, 2, 2],
    [1, 0, 3, 4, 2, 0, 5, 6],
  ]);
});

test('one pass is given back as it is', () => {
  const one = tensor([1], ['token'], [7]);
  expect(joinedAlong([one], 0)).toBe(one);
});
