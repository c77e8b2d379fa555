import { test } from 'vitest';
import { oneHead } from '../../src/ops/one_head.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };
const a = f32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
const b = f32([2, 2, 2], [-1, -2, -3, -4, -5, -6, -7, -8]);

onEveryBackend(
  'one_head takes head 1 of [token, head, dim] from b',
  oneHead,
  { tensors: { a, b }, params: { axis: 1, head: 1 }, pass },
  isNear([1, 2, -3, -4, 5, 6, -7, -8]),
);

onEveryBackend(
  'one_head takes head 0 of [head, token, key] from b',
  oneHead,
  { tensors: { a, b }, params: { axis: 0, head: 0 }, pass },
  isNear([-1, -2, -3, -4, 5, 6, 7, 8]),
);

onEveryBackend('one_head agrees with the reference on 3 tokens of 5 heads of 37', oneHead, {
  tensors: { a: randomTensor(1, [3, 5, 37]), b: randomTensor(2, [3, 5, 37]) },
  params: { axis: 1, head: 4 },
  pass,
});

test('one_head refuses a head that is not there', () =>
  expectRefusal(oneHead, { tensors: { a, b }, params: { axis: 1, head: 2 }, pass }, /has no head 2 on axis 1/));
