import { expect } from 'vitest';
import { logSumExp } from '../../src/ops/log_sum_exp.ts';
import { f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 2, nPast: 0 };

// ln(1 + 2 + 5) = ln 8; a single logit is its own log_sum_exp.
onEveryBackend(
  'log_sum_exp is the logarithm of the sum of exponentials',
  logSumExp,
  { tensors: { x: f32([2, 3], [0, Math.log(2), Math.log(5), -7, -Infinity, -Infinity]) }, pass },
  isNear([Math.log(8), -7]),
);

onEveryBackend(
  'log_sum_exp does not overflow where the logits are large',
  logSumExp,
  { tensors: { x: f32([2, 2], [1e4, 1e4, -1e4, -1e4]) }, pass },
  isNear([1e4 + Math.log(2), -1e4 + Math.log(2)]),
);

for (const [tokens, vocab, scale] of [
  [1, 1, 1],
  [3, 257, 3],
  [2, 32_003, 5],
  [1, 128_256, 0.01],
] as const) {
  onEveryBackend(`log_sum_exp agrees with f64 on ${tokens} rows of ${vocab}`, logSumExp, {
    tensors: { x: randomTensor(vocab, [tokens, vocab], scale) },
    pass,
  });
}

onEveryBackend(
  'log_sum_exp gives NaN for a row with NaN or +Inf',
  logSumExp,
  { tensors: { x: f32([3, 2], [1, Number.NaN, 1, 2, Infinity, 0]) }, pass },
  ({ data }) => expect(Array.from(data, Number.isNaN)).toEqual([true, false, true]),
);
