import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import { logSumExp } from '../../src/ops/log_sum_exp.ts';
import { probability } from '../../src/ops/probability.ts';
import { expectRefusal, f32, isNear, onEveryBackend, randomTensor, webgpu } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

onEveryBackend(
  'probability is the exponential of a logit below its row',
  probability,
  { tensors: { x: f32([2, 1], [0, 1]), log_sum_exp: f32([2, 1], [Math.log(4), 1]) }, pass },
  isNear([0.25, 1]),
);

for (const backend of ['reference', ...(webgpu ? [webgpu] : [])] as const) {
  test(`probability of all logits sums to 1 [${typeof backend === 'string' ? backend : 'webgpu'}]`, async () => {
    const x = randomTensor(3, [1, 5003], 4);
    const log_sum_exp = await runOp(logSumExp, { tensors: { x }, pass }, backend);
    const { data } = await runOp(probability, { tensors: { x, log_sum_exp }, pass }, backend);
    expect(Math.abs(Array.from(data).reduce((a, b) => a + b) - 1)).toBeLessThanOrEqual(2e-6);
  });
}

for (const [tokens, k] of [
  [1, 1],
  [3, 257],
  [31, 13],
] as const) {
  onEveryBackend(`probability agrees with f64 on ${tokens} rows of ${k}`, probability, {
    tensors: { x: randomTensor(k, [tokens, k]), log_sum_exp: randomTensor(tokens, [tokens, 1]) },
    pass,
  });
}

test('probability refuses a log_sum_exp of other rows', () =>
  expectRefusal(
    probability,
    { tensors: { x: f32([2, 1], [0, 1]), log_sum_exp: f32([1, 1], [0]) }, pass },
    /log_sum_exp is \[1, 1\]; it must be \[2, 1\]/,
  ));
