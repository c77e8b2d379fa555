import { describe, expect, it } from 'vitest';
import { compareLogits } from '../../src/compare/logits.ts';
import { Tensor } from '../../src/trace/tensor.ts';
import { normals, seeded } from '../seeded.ts';

const logits = (...rows: (readonly number[] | Float32Array)[]) =>
  new Tensor({
    name: 'result_output',
    shape: [rows.length, rows[0]?.length ?? 0],
    dims: ['token', 'vocab'],
    data: Float32Array.from(rows.flatMap((row) => [...row])),
  });
const one = (ours: readonly number[] | Float32Array, reference: readonly number[] | Float32Array, k?: number) =>
  compareLogits(logits(ours), logits(reference), { pos0: 0, ...(k ? { k } : {}) })[0]!;

describe('KL', () => {
  it('of (1/2, 1/2) from (1/4, 3/4) is what is computed by hand', () => {
    const [p, q] = [
      [0.25, 0.75],
      [0.5, 0.5],
    ].map((row) => row.map(Math.log)) as [number[], number[]];
    expect(one(q, p).kl).toBeCloseTo(0.25 * Math.log(0.5) + 0.75 * Math.log(1.5), 6);
    expect(one(p, q).kl).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 6);
  });

  it('is 0 for the same logits, and for logits that differ by a constant', () => {
    const row = Float32Array.from(normals(seeded(1), 1000), (x) => Math.round(x * 64) / 64);
    expect(one(row, row).kl).toBe(0);
    expect(
      one(
        row.map((x) => x + 512),
        row,
      ).kl,
    ).toBeLessThan(1e-24); // f32 holds these sums exactly
  });

  it('is never negative, and right to four digits for differences that cancel in its usual form', () => {
    const random = seeded(2);
    for (const size of [1e-1, 1e-3, 1e-5, 1e-6, 1e-9]) {
      // f32 holds differences of 1e-9 in small logits alone.
      const reference = normals(random, 32_000, size === 1e-9 ? 0.01 : 3);
      const noise = normals(random, 32_000, size);
      const ours = reference.map((x, i) => x + noise[i]!);
      // To second order KL is half the variance of the difference under p (Kullback 1959, §2.6).
      const p = softmax(reference);
      const delta = Float64Array.from(ours, (x, i) => x - reference[i]!);
      const mean = p.reduce((sum, each, i) => sum + each * delta[i]!, 0);
      const variance = p.reduce((sum, each, i) => sum + each * (delta[i]! - mean) ** 2, 0);
      const { kl } = one(ours, reference);
      expect(kl / (variance / 2), `${size}`).toBeGreaterThan(1 - Math.max(1e-4, 3 * size));
      expect(kl / (variance / 2), `${size}`).toBeLessThan(1 + Math.max(1e-4, 3 * size));
    }
  });

  it('survives logits that overflow exp, and probabilities that vanish', () => {
    expect(one([1e38, -1e38], [1e38, -1e38]).kl).toBe(0);
    expect(one([0, 1000], [1000, 0]).kl).toBeCloseTo(1000, 9);
    expect(one([0, -Infinity], [0, -Infinity]).kl).toBe(0);
    expect(one([Math.log(1), 0], [0, -Infinity]).kl).toBeCloseTo(Math.log(2), 12);
    expect(one([0, -Infinity], [0, 0]).kl).toBe(Infinity);
    expect(one([0, NaN], [0, 1]).kl).toBeNaN();
  });
});

function softmax(row: Float32Array): Float64Array {
  const max = row.reduce((a, b) => Math.max(a, b));
  const exps = Float64Array.from(row, (x) => Math.exp(x - max));
  const total = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / total);
}

describe('ranks', () => {
  it('are those of the sorted ids, of equal logits the lower id first', () => {
    const random = seeded(3);
    for (let trial = 0; trial < 200; trial++) {
      // Few different values, so that ties are many.
      const row = () => Array.from({ length: 30 }, () => Math.floor(12 * random()));
      const [ours, reference] = [row(), row()];
      const order = (values: number[]) => [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
      const k = 1 + Math.floor(6 * random());
      const [mine, theirs] = [order(ours), order(reference)];
      expect(one(ours, reference, k)).toMatchObject({
        k,
        ours: mine[0],
        reference: theirs[0],
        rank: mine.indexOf(theirs[0]!),
        overlap: theirs.slice(0, k).filter((id) => mine.slice(0, k).includes(id)).length,
      });
    }
  });

  it('count NaN as least', () => {
    expect(one([NaN, 1, 2], [3, 1, 2])).toMatchObject({ ours: 2, reference: 0, rank: 2 });
    expect(one([NaN, NaN], [NaN, NaN])).toMatchObject({ ours: 0, reference: 0, rank: 0, overlap: 2 });
  });

  it('have a k of 5, or of the whole vocabulary where that is smaller', () => {
    expect(one(new Float32Array(9), new Float32Array(9))).toMatchObject({ k: 5, overlap: 5 });
    expect(one([1, 2], [2, 1], 9)).toMatchObject({ k: 2, overlap: 2, rank: 1 });
  });
});

it('every row is a position in the text', () => {
  const found = compareLogits(logits([1, 0], [0, 1]), logits([1, 0], [1, 0]), { pos0: 6 });
  expect(found.map(({ token, rank }) => [token, rank])).toEqual([
    [6, 0],
    [7, 1],
  ]);
});

it('what does not fit together is refused', () => {
  expect(() => compareLogits(logits([1, 2]), logits([1, 2, 3]), { pos0: 0 })).toThrow(
    'Cannot compare the logits result_output [1, 2] with result_output [1, 3]; wanted the same [token, vocab]',
  );
  expect(() => compareLogits(logits([1, 2]), logits([1, 2]), { pos0: 0, k: 0 })).toThrow('k must be a whole number');
});
