import { expect, test } from 'vitest';
import type { Params } from '../../src/ops/op.ts';
import { softMax } from '../../src/ops/soft_max.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const [one, two] = [
  { nTokens: 1, nPast: 0 },
  { nTokens: 2, nPast: 1 },
];

// exp(2 · ½ ln 3) = 3 and exp(0) = 1: three quarters and one quarter.
onEveryBackend(
  'soft_max gives each key its share of the exponentials of the scaled scores',
  softMax,
  { tensors: { x: f32([1, 1, 2], [Math.log(3) / 2, 0]) }, params: { scale: 2 }, pass: { nTokens: 1, nPast: 1 } },
  isNear([0.75, 0.25]),
);

onEveryBackend(
  'soft_max gives exactly zero to tokens after this one, whatever their scores',
  softMax,
  { tensors: { x: f32([1, 2, 3], [5, 5, 1e30, 1, 1, 1]) }, params: { scale: 1 }, pass: two },
  ({ data }) => {
    expect(data[2]).toBe(0);
    isNear([0.5, 0.5, 0, 1 / 3, 1 / 3, 1 / 3])({ shape: [1, 2, 3], data }, 'reference');
  },
);

onEveryBackend(
  'soft_max of one key is 1',
  softMax,
  { tensors: { x: f32([3, 1, 1], [-1e30, 0, 88]) }, params: { scale: 0.125 }, pass: one },
  ({ data }) => expect([...data]).toEqual([1, 1, 1]),
);

onEveryBackend(
  'soft_max rows sum to 1 to 1e-6 over 2,048 keys',
  softMax,
  { tensors: { x: randomTensor(1, [2, 3, 2048], 8) }, params: { scale: 0.125 }, pass: { nTokens: 3, nPast: 2045 } },
  ({ data }) => {
    for (let row = 0; row < 6; row++) {
      const sum = Array.from(data.subarray(row * 2048, (row + 1) * 2048)).reduce((a, b) => a + b);
      expect(Math.abs(sum - 1)).toBeLessThanOrEqual(1e-6);
    }
  },
);

onEveryBackend(
  'soft_max does not change when all scores of a row grow by the same amount',
  softMax,
  { tensors: { x: f32([1, 1, 3], [1000, 1001, 1002]) }, params: { scale: 1 }, pass: { nTokens: 1, nPast: 2 } },
  isNear([0, 1, 2].map((d) => Math.exp(d) / (1 + Math.E + Math.E ** 2))),
);

for (const [heads, tokens, past, scale] of [
  [1, 1, 0, 1],
  [5, 7, 58, 0.158],
  [3, 67, 0, 4],
  [32, 1, 2047, 0.125],
] as const) {
  onEveryBackend(`soft_max agrees with f64 on [${heads}, ${tokens}, ${past + tokens}]`, softMax, {
    tensors: { x: randomTensor(past + 1, [heads, tokens, past + tokens], 6) },
    params: { scale },
    pass: { nTokens: tokens, nPast: past },
  });
}

onEveryBackend(
  'soft_max turns a row with a visible NaN or +Inf into NaN, and no row whose NaN is masked',
  softMax,
  {
    tensors: { x: f32([2, 2, 3], [1, 2, Number.NaN, Number.NaN, 1, 2, 1, 2, Infinity, 3, Infinity, 1]) },
    params: { scale: 1 },
    pass: two,
  },
  ({ data }) => expect(Array.from(data, Number.isNaN)).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1].map(Boolean)),
);

test('soft_max refuses a scale that is not positive and scores of another pass', async () => {
  const x = f32([1, 1, 2], [1, 2]);
  await expectRefusal(softMax, { tensors: { x }, params: { scale: 0 }, pass: { nTokens: 1, nPast: 1 } }, /scale is 0/);
  await expectRefusal(
    softMax,
    { tensors: { x }, params: { scale: 1 }, pass: { nTokens: 1, nPast: 4 } },
    /x is \[1, 1, 2\]; it must be \[head, 1, 5\] in this pass/,
  );
});

// Equal scores, so a row is 1 over the keys that a token sees.
const equal = { x: f32([1, 3, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1]) };
const three = { nTokens: 3, nPast: 0 };
onEveryBackend(
  'soft_max without a mask lets every token see every key',
  softMax,
  { tensors: equal, params: { scale: 1, mask: 'none' }, pass: three },
  isNear([1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3]),
);
onEveryBackend(
  'soft_max one ahead lets a token see the next one too, as far as there is one',
  softMax,
  { tensors: equal, params: { scale: 1, ahead: 1 }, pass: three },
  isNear([1 / 2, 1 / 2, 0, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3]),
);
onEveryBackend(
  'soft_max with pastMax takes no more tokens than that to stand before the pass',
  softMax,
  { tensors: { x: f32([1, 1, 4], [1, 1, 1, 1]) }, params: { scale: 1, pastMax: 1 }, pass: { nTokens: 1, nPast: 3 } },
  isNear([1 / 2, 1 / 2, 0, 0]),
);

test('soft_max refuses a mask that it does not know and one that leaves a token nothing to see', async () => {
  const refused = (params: Params, message: RegExp) =>
    expectRefusal(softMax, { tensors: equal, params: { scale: 1, ...params }, pass: three }, message);
  await refused({ mask: 'some' }, /its param mask is some; it must be causal or none/);
  await refused({ ahead: -1 }, /its first token would see 0 keys/);
});
