import { expect } from 'vitest';
import { entropy } from '../../src/ops/entropy.ts';
import { f32, isNear, onEveryBackend, randomTensor } from './on_every_backend.ts';

const pass = { nTokens: 1, nPast: 0 };

// p = 3/4 and 1/4.
onEveryBackend(
  'entropy is minus the sum of p ln p, in nats',
  entropy,
  { tensors: { x: f32([1, 2], [Math.log(3), 0]) }, pass },
  isNear([-0.75 * Math.log(0.75) - 0.25 * Math.log(0.25)]),
);

onEveryBackend(
  'entropy is 0 when one token is certain and ln(vocab) when all are alike',
  entropy,
  { tensors: { x: f32([2, 4], [1e4, 0, 0, -Infinity, 7, 7, 7, 7]) }, pass },
  isNear([0, Math.log(4)]),
);

// p = e⁻²⁰ = 2e-9 beside certainty: ln(1 + e⁻²⁰) + 20 e⁻²⁰ / (1 + e⁻²⁰).
const r = Math.exp(-20);
onEveryBackend(
  'entropy keeps its digits where one token is nearly certain',
  entropy,
  { tensors: { x: f32([1, 2], [7, -13]) }, pass },
  ({ data }) => expect(Math.abs(data[0]! / (Math.log1p(r) + (20 * r) / (1 + r)) - 1)).toBeLessThanOrEqual(1e-6),
);

for (const [tokens, vocab, scale] of [
  [1, 1, 1],
  [3, 257, 3],
  [2, 32_003, 5],
  [1, 128_256, 0.01],
] as const) {
  onEveryBackend(`entropy agrees with f64 on ${tokens} rows of ${vocab}`, entropy, {
    tensors: { x: randomTensor(vocab, [tokens, vocab], scale) },
    pass,
  });
}

onEveryBackend(
  'entropy gives NaN for a row with NaN or +Inf',
  entropy,
  { tensors: { x: f32([3, 2], [1, Number.NaN, 1, 2, Infinity, 0]) }, pass },
  ({ data }) => expect(Array.from(data, Number.isNaN)).toEqual([true, false, true]),
);
