import { expect, test } from 'vitest';
import { runOp } from '../../src/engine/run_op.ts';
import type { Params } from '../../src/ops/op.ts';
import { rope } from '../../src/ops/rope.ts';
import {
  expectRefusal,
  f32,
  f32Weight,
  isNear,
  onEveryBackend,
  randomTensor,
  relativeRmsError,
} from './on_every_backend.ts';

const llama: Params = { freqBase: 10_000, freqScale: 1, dimRot: 4, pairing: 'neighbours' };
const [c1, s1, c2, s2] = [Math.cos(3), Math.sin(3), Math.cos(0.03), Math.sin(0.03)];

// Position 3, dimRot 4: pair 0 turns by 3 · 10000^0 = 3, pair 1 by 3 · 10000^(-2/4) = 0.03.
onEveryBackend(
  'rope turns neighbours (2i, 2i+1) by position · freqBase^(-2i/dimRot)',
  rope,
  { tensors: { x: f32([1, 1, 5], [1, 0, 0, 1, 7]) }, params: llama, pass: { nTokens: 1, nPast: 3 } },
  isNear([c1, s1, -s2, c2, 7]),
);

onEveryBackend(
  'rope turns halves (i, i + dimRot/2) by the same angles and copies what follows dimRot',
  rope,
  {
    tensors: { x: f32([1, 1, 5], [1, 0, 0, 1, 7]) },
    params: { ...llama, pairing: 'halves' },
    pass: { nTokens: 1, nPast: 3 },
  },
  isNear([c1, -s2, s1, c2, 7]),
);

onEveryBackend(
  'rope divides each pair by its factor and scales positions by freqScale',
  rope,
  {
    tensors: { x: f32([1, 1, 4], [1, 0, 0, 1]) },
    weights: { factors: f32Weight([2], Float32Array.of(2, 1)) },
    params: { ...llama, freqScale: 0.5 },
    pass: { nTokens: 1, nPast: 12 },
  },
  isNear([c1, s1, -Math.sin(0.06), Math.cos(0.06)]),
);

const eight = { ...llama, dimRot: 8 };
onEveryBackend(
  'rope at position 0 changes nothing',
  rope,
  { tensors: { x: randomTensor(1, [1, 5, 9]) }, params: eight, pass: { nTokens: 1, nPast: 0 } },
  ({ data }) => expect([...data]).toEqual([...randomTensor(1, [1, 5, 9]).data]),
);

onEveryBackend(
  'rope keeps the length of every pair',
  rope,
  { tensors: { x: randomTensor(2, [3, 2, 8]) }, params: eight, pass: { nTokens: 3, nPast: 41 } },
  ({ data }) => {
    const x = randomTensor(2, [3, 2, 8]).data;
    for (let i = 0; i < x.length; i += 2) {
      expect(Math.hypot(data[i]!, data[i + 1]!)).toBeCloseTo(Math.hypot(x[i]!, x[i + 1]!), 5);
    }
  },
);

test('rope makes the dot of a query and a key depend on their distance alone', async () => {
  const dot = async (positionOfQ: number, positionOfK: number) => {
    const turned = async (seed: number, nPast: number) =>
      (
        await runOp(
          rope,
          { tensors: { x: randomTensor(seed, [1, 1, 8]) }, params: eight, pass: { nTokens: 1, nPast } },
          'reference',
        )
      ).data;
    const [q, k] = [await turned(3, positionOfQ), await turned(4, positionOfK)];
    return Array.from(q, (value, i) => value * k[i]!).reduce((a, b) => a + b);
  };
  expect(await dot(1000, 993)).toBeCloseTo(await dot(7, 0), 10);
  expect(await dot(1000, 993)).not.toBeCloseTo(await dot(8, 0), 3);
});

test('rope adds positionOffset to every position', async () => {
  const x = randomTensor(5, [2, 1, 8]);
  const at = (nPast: number, params: Params) =>
    runOp(rope, { tensors: { x }, params, pass: { nTokens: 2, nPast } }, 'reference');
  expect(await at(3, { ...eight, positionOffset: 1 })).toEqual(await at(4, eight));
});

test('rope adds decodeOffset where tokens stand before the pass, and takes no more than pastMax of them to', async () => {
  const x = randomTensor(5, [2, 1, 8]);
  const at = (nPast: number, params: Params) =>
    runOp(rope, { tensors: { x }, params, pass: { nTokens: 2, nPast } }, 'reference');
  expect(await at(3, { ...eight, decodeOffset: 1 })).toEqual(await at(4, eight));
  expect(await at(0, { ...eight, decodeOffset: 1 })).toEqual(await at(0, eight));
  expect(await at(7, { ...eight, pastMax: 4 })).toEqual(await at(4, eight));
  expect(await at(3, { ...eight, pastMax: 4 })).toEqual(await at(3, eight));
});

// In f32, from position 5 with freqBase 10000 and dimRot 4: 5, then 5 · 0.01f = 0.05 · (1 + 5e-9…), each to the nearest f32.
const f = Math.fround;
const angles = [f(f(0.3) * f(5 / f(1.7))), f(f(0.3) * f(f(5 * f(0.01)) / f(2)))] as const;
onEveryBackend(
  'rope by recurrence multiplies the angle up in f32, divides by the factor and then scales',
  rope,
  {
    tensors: { x: f32([1, 1, 4], [1, 0, 1, 0]) },
    weights: { factors: f32Weight([2], Float32Array.of(1.7, 2)) },
    params: { ...llama, freqScale: 0.3, angles: 'recurrence' },
    pass: { nTokens: 1, nPast: 5 },
  },
  isNear(angles.flatMap((angle) => [Math.cos(angle), Math.sin(angle)])),
);

test('rope by recurrence drifts from the exact angles with the position: 7e-8 at 7, 2.7e-5 at 2047', async () => {
  const drift = async (nPast: number) => {
    const given = { tensors: { x: randomTensor(6, [1, 3, 64]) }, pass: { nTokens: 1, nPast } };
    const params = { ...llama, dimRot: 64 };
    const exact = await runOp(rope, { ...given, params: { ...params, angles: 'exact' } }, 'reference');
    const theirs = await runOp(rope, { ...given, params: { ...params, angles: 'recurrence' } }, 'reference');
    return relativeRmsError(theirs.data, exact.data);
  };
  expect(await drift(0)).toBe(0);
  expect(await drift(7)).toBeLessThan(1e-7);
  expect(await drift(2047)).toBeGreaterThan(1e-5);
  expect(await drift(2047)).toBeLessThan(1e-4);
});

for (const [tokens, heads, dim, dimRot] of [
  [1, 1, 2, 2],
  [3, 5, 40, 40],
  [7, 3, 83, 66],
] as const) {
  for (const pairing of ['neighbours', 'halves']) {
    onEveryBackend(`rope of ${pairing} agrees with f64 on [${tokens}, ${heads}, ${dim}] up to position 2047`, rope, {
      tensors: { x: randomTensor(dim, [tokens, heads, dim]) },
      params: { freqBase: 500_000, freqScale: 1, dimRot, pairing },
      pass: { nTokens: tokens, nPast: 2048 - tokens },
    });
  }
}

const x = f32([1, 1, 4], [1, 2, 3, 4]);
const pass = { nTokens: 1, nPast: 0 };
test('rope refuses an odd dimRot, one longer than the head, and a pairing and angles it does not know', async () => {
  await expectRefusal(rope, { tensors: { x }, params: { ...llama, dimRot: 3 }, pass }, /dimRot is 3; it must be even/);
  await expectRefusal(
    rope,
    { tensors: { x }, params: { ...llama, dimRot: 6 }, pass },
    /dimRot is 6 and must not exceed/,
  );
  await expectRefusal(rope, { tensors: { x }, params: { ...llama, pairing: 'odd' }, pass }, /pairing is odd/);
  await expectRefusal(
    rope,
    { tensors: { x }, params: { ...llama, angles: 'near' }, pass },
    /angles is near; it must be exact or recurrence/,
  );
});
