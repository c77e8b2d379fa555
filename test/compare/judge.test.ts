/**
 * Margins are proven on seeded noise of exactly the allowed size. Gaussian; heavy: a tenth of the elements 2.6 times as noisy
 * as the others (Tukey's contaminated normal, kurtosis 6.4; a Laplace distribution has 6); uneven: rows from 0.4 to 1.5
 * times as noisy as the whole. Real rounding is held against the default tolerances in tolerances.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { ELEMENT_MARGIN, gaussianMargin, judge, UNEVENNESS } from '../../src/compare/judge.ts';
import { eachRow, measure, type Pair, placeAt } from '../../src/compare/measure.ts';
import { sizeOf } from '../../src/ops/shape.ts';
import { normals, seeded } from '../seeded.ts';

const SHAPES: readonly (readonly [shape: number[], dims: string[], pos0: number])[] = [
  [[24, 64], ['token', 'embd'], 0],
  [[24, 4, 16], ['token', 'head', 'dim'], 7],
  [[4, 24, 31], ['head', 'token', 'key'], 7],
  [[4, 24, 24], ['head', 'token', 'key'], 0],
  [[24, 300], ['token', 'vocab'], 0],
  [[24, 1], ['token', 'one'], 0],
  [[1, 64], ['token', 'embd'], 40],
];
const LIMITS = [2e-6, 1e-5, 3e-3, 6e-2];
const KINDS = ['Gaussian', 'heavy', 'uneven'] as const;

const tolerance = (limit: number) => ({ limit, source: 'a test' });
const judged = (pair: Pair, limit: number, options?: Parameters<typeof judge>[3]) =>
  judge(pair, measure(pair), tolerance(limit), options);

const rmsOf = (row: Float32Array) => Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / row.length);

/** A tensor with noise of relative RMS error `limit`, or up to 4 % less (f32 rounds it), each row's in proportion to its size. */
function noisy(random: () => number, [shape, dims, pos0]: (typeof SHAPES)[number], kind: string, limit: number): Pair {
  const reference = normals(random, sizeOf(shape));
  const noise = normals(random, sizeOf(shape));
  const given = { ours: reference, reference, shape, dims, pos0, offsets: null };
  eachRow(given, (from, to) => {
    const size = kind === 'uneven' ? 1 : 10 ** (2 * random() - 1);
    const noisiness = kind === 'uneven' ? 0.4 + 1.2 * random() : 1;
    for (let i = from; i < to; i++) reference[i]! *= size;
    const rms = rmsOf(reference.subarray(from, to));
    for (let i = from; i < to; i++) {
      noise[i]! *= rms * noisiness * (kind === 'heavy' ? (random() < 0.1 ? 2.05 : 0.8) : 1);
    }
  });
  const scaled = (scale: number): Pair => ({ ...given, ours: reference.map((y, i) => y + scale * noise[i]!) });
  const unit = measure(scaled(0.1)).measure.relativeRmsError / 0.1;
  const pair = scaled((0.98 * limit) / unit);
  const { relativeRmsError } = measure(pair).measure;
  expect(relativeRmsError).toBeLessThanOrEqual(limit);
  expect(relativeRmsError).toBeGreaterThan(0.96 * limit);
  return pair;
}

/** tol · (|reference| + RMS of its row) for every element that is not masked, by its offset. */
function boundsOf(pair: Pair, tol: number): Map<number, number> {
  const bounds = new Map<number, number>();
  const [, tokens = 1, keys = 1] = pair.shape;
  const headOf = (i: number) =>
    pair.reference.filter(
      (_, j) =>
        Math.floor(j / (tokens * keys)) === Math.floor(i / (tokens * keys)) &&
        j % keys <= Math.floor(j / keys) % tokens,
    );
  eachRow(pair, (from, to) => {
    // Few scores do not tell their size: there their head does.
    const isFew = pair.dims.at(-1) === 'key' && to - from < 8;
    const rms = Math.max(rmsOf(pair.reference.subarray(from, to)), isFew ? rmsOf(headOf(from)) : 0);
    for (let i = from; i < to; i++) bounds.set(i, tol * (Math.abs(pair.reference[i]!) + rms));
  });
  return bounds;
}

describe('noise of the allowed size', () => {
  it.each(KINDS)('is never beyond: 100 traces of %s noise', (kind) => {
    const random = seeded(KINDS.indexOf(kind) + 10);
    for (let trace = 0; trace < 100; trace++) {
      const limit = LIMITS[trace % LIMITS.length]!;
      for (const given of SHAPES) {
        const { status, worst } = judged(noisy(random, given, kind, limit), limit);
        expect(status, `trace ${trace}, [${given[0]}], ${JSON.stringify(worst)}`).toBe('within');
        expect(worst?.excess).toBeLessThan(1);
      }
    }
  });

  it('is never beyond in 4e6 elements', () => {
    const given: (typeof SHAPES)[number] = [[500, 8000], ['token', 'vocab'], 0];
    expect(judged(noisy(seeded(20), given, 'Gaussian', 1e-5), 1e-5).status).toBe('within');
  });

  it('may have the norm that the margin gives it, but for one in a million', () => {
    // Two-sided, 1 of 1e6 Gaussians is beyond 4.8916 (tables of the normal distribution).
    expect(gaussianMargin(1, 1)).toBeGreaterThan(4.8916);
    expect(gaussianMargin(1, 1)).toBeLessThan(6.1);
    expect(gaussianMargin(1e6, 1)).toBeLessThan(1.006);
    expect(gaussianMargin(100, 2000)).toBeGreaterThan(gaussianMargin(100, 1));
    const random = seeded(21);
    for (const n of [1, 3, 20, 200]) {
      let most = 0;
      for (let trial = 0; trial < 2000; trial++) most = Math.max(most, rmsOf(normals(random, n)));
      expect(most, `${n}`).toBeLessThan(gaussianMargin(n, 1));
    }
  });
});

describe('an element that is moved', () => {
  it('beyond ten times its bound is always found, at its place, among noise of the allowed size', () => {
    const random = seeded(30);
    for (let trial = 0; trial < 300; trial++) {
      const given = SHAPES[trial % SHAPES.length]!;
      const limit = LIMITS[trial % LIMITS.length]!;
      const pair = noisy(random, given, KINDS[trial % 3]!, limit);
      const bounds = [...boundsOf(pair, limit)];
      const [offset, bound] = bounds[Math.floor(random() * bounds.length)]!;
      const y = pair.reference[offset]!;
      pair.ours[offset] = y + (random() < 0.5 ? -1 : 1) * 10.1 * bound;
      const { status, worst } = judged(pair, limit);
      expect(status).toBe('beyond');
      expect(worst).toMatchObject({ ...placeAt(pair, offset), ours: pair.ours[offset], reference: y });
      expect(worst?.excess).toBeGreaterThan(1);
      expect(worst?.excess).toBeLessThan(1.05);
    }
  });

  it('within its bound is not', () => {
    const random = seeded(31);
    const pair = noisy(random, SHAPES[0]!, 'Gaussian', 1e-5);
    const bounds = boundsOf(pair, 1e-5);
    const ours = pair.reference.map((y, i) => y + 0.4 * (i % 2 ? 1 : -1) * bounds.get(i)!);
    expect(judged({ ...pair, ours }, 1e-5).status).toBe('within');
  });

  it('in a masked cell is nothing to a tolerance', () => {
    const pair = noisy(seeded(32), SHAPES[3]!, 'Gaussian', 1e-5);
    pair.ours[1] = NaN;
    expect(judged(pair, 1e-5).status).toBe('within');
    pair.ours[24] = 1e9; // token 1, key 0
    expect(judged(pair, 1e-5).worst).toMatchObject({ index: [0, 1, 0], token: 1, head: 0, ours: 1e9 });
  });

  it('is named by its excess over its own bound, not by its size', () => {
    const reference = Float32Array.of(1000, 1000, 1000, 1, 1, 1);
    const ours = Float32Array.of(1000, 1030, 1000, 1, 1, 1.04);
    const pair: Pair = { ours, reference, shape: [2, 3], dims: ['token', 'embd'], pos0: 5, offsets: null };
    const { worst } = judged(pair, 1e-3);
    expect(worst).toMatchObject({ index: [1, 2], token: 6, head: null });
    expect(worst?.excess).toBeCloseTo(0.04 / (ELEMENT_MARGIN * 1e-3 * 2), 4);
  });
});

describe('an error that is spread', () => {
  const [shape, dims] = [
    [40, 16, 32],
    ['token', 'head', 'dim'],
  ];
  /** Equal numbers, with one part of the axis off by `times` the limit of 1e-3 and the rest exact. */
  const spread = (axis: number, index: number, times: number): Pair => {
    const reference = new Float32Array(sizeOf(shape)).fill(1);
    const ours = reference.map((y, i) =>
      placeAt({ shape, dims, pos0: 3 }, i).index[axis] === index ? y * (1 + times * 1e-3) : y,
    );
    return { ours, reference, shape, dims, pos0: 3, offsets: null };
  };

  it('over one token or one head is beyond where it is more than that part may have', () => {
    const token = judged(spread(0, 12, 4), 1e-3);
    expect(token).toMatchObject({ status: 'beyond', worst: { token: 15, index: [12, 0, 0] } });
    const head = judged(spread(1, 5, 3.5), 1e-3);
    expect(head).toMatchObject({ status: 'beyond', worst: { head: 5, index: [0, 5, 0] } });
    for (const { worst } of [token, head]) expect(worst?.excess).toBeLessThan(1);
    expect(judged(spread(0, 12, UNEVENNESS), 1e-3).status).toBe('within');
  });

  it('over all is beyond as soon as the relative RMS error is', () => {
    const reference = normals(seeded(40), 1000);
    const off = (by: number): Pair => {
      const ours = reference.map((y) => y * (1 + by));
      return { ours, reference, shape: [1000], dims: ['embd'], pos0: 0, offsets: null };
    };
    expect(judged(off(0.99e-3), 1e-3).status).toBe('within');
    expect(judged(off(1.01e-3), 1e-3)).toMatchObject({ status: 'beyond', worst: { excess: expect.any(Number) } });
  });
});

describe('what is not finite', () => {
  it('is within where both sides have it, and beyond every bound where one has', () => {
    const reference = Float32Array.of(1, NaN, Infinity, 2);
    const pair = (ours: number[]): Pair => ({
      ...{ ours: Float32Array.from(ours), reference, shape: [4], dims: ['embd'], pos0: 0, offsets: null },
    });
    expect(judged(pair([1, NaN, Infinity, 2.00001]), 1e-3).status).toBe('within');
    for (const [ours, at] of [
      [[1, NaN, -Infinity, 2], 2],
      [[1, 0, Infinity, 2], 1],
      [[1, NaN, Infinity, NaN], 3],
    ] as const) {
      expect(judged(pair([...ours]), 1e-3)).toMatchObject({
        status: 'beyond',
        worst: { index: [at], excess: Infinity, ours: ours[at], reference: reference[at] },
      });
    }
  });
});

describe('without error or without a rule', () => {
  it('equal bits are equal, whether there is a rule or not', () => {
    const reference = normals(seeded(50), 8);
    const pair = { ours: reference.slice(), reference, shape: [8], dims: ['embd'], pos0: 0, offsets: null };
    expect(judged(pair, 0)).toEqual({ status: 'equal', worst: null });
    expect(judge(pair, measure(pair), null)).toEqual({ status: 'equal', worst: null });
    pair.ours[3]! += 1e-6;
    expect(judge(pair, measure(pair), null)).toEqual({ status: 'no rule', worst: null });
    expect(judged(pair, 0)).toMatchObject({ status: 'beyond', worst: { index: [3], excess: Infinity } });
  });
});

describe('values read from a log', () => {
  it('are within where half a printed digit explains what is missing', () => {
    const random = seeded(60);
    for (let trial = 0; trial < 60; trial++) {
      const pair = noisy(random, SHAPES[trial % SHAPES.length]!, 'Gaussian', 1e-5);
      // Some of these are so small that four decimals leave them nothing.
      const scale = 10 ** -(trial % 5);
      const ours = pair.ours.map((x) => x * scale);
      const reference = pair.reference.map((y) => Number((y * scale).toFixed(4)));
      const printed = { ...pair, ours, reference };
      expect(judged(printed, 1e-5, { resolution: 0.5e-4 }).status).toMatch(/within|equal/);
      expect(judged(printed, 1e-5).status).toBe('beyond');
    }
  });

  it('still show what moved by more than that', () => {
    const reference = new Float32Array(64).fill(0.5);
    const ours = reference.slice();
    ours[9] = 0.5003;
    const pair = { ours, reference, shape: [8, 8], dims: ['token', 'embd'], pos0: 0, offsets: null };
    const { status, worst } = judged(pair, 1e-5, { resolution: 0.5e-4 });
    expect(status).toBe('beyond');
    expect(worst).toMatchObject({ index: [1, 1] });
    expect(worst?.excess).toBeCloseTo(3e-4 / (1e-4 + 0.5e-4), 2);
  });
});

describe('exact mode', () => {
  it('finds a single flipped bit anywhere, masked cells too, at its coordinate', () => {
    const random = seeded(70);
    for (const [shape, dims, pos0] of SHAPES) {
      const reference = normals(random, sizeOf(shape));
      for (let trial = 0; trial < 40; trial++) {
        const ours = reference.slice();
        const offset = Math.floor(random() * ours.length);
        new Uint32Array(ours.buffer)[offset]! ^= 1 << Math.floor(random() * 32);
        const pair = { ours, reference, shape, dims, pos0, offsets: null };
        const { status, worst } = judged(pair, 1, { mode: 'exact' });
        expect(status).toBe('beyond');
        expect(worst).toMatchObject({ ...placeAt(pair, offset), reference: reference[offset] });
      }
    }
  });

  it('names the first of several, and takes -0 and 0 for two numbers and an array against itself for one', () => {
    const reference = Float32Array.of(1, 0, 5, NaN);
    const pair = (ours: Float32Array): Pair => ({
      ours,
      reference,
      shape: [4],
      dims: ['embd'],
      pos0: 0,
      offsets: null,
    });
    expect(judged(pair(Float32Array.of(1, -0, 9e9, NaN)), 1, { mode: 'exact' }).worst).toMatchObject({ index: [1] });
    expect(judged(pair(reference.slice()), 1, { mode: 'exact' })).toEqual({ status: 'equal', worst: null });
  });
});

it('a score that is all there is of its row is held against its head, not against itself', () => {
  const reference = Float32Array.from([1e-4, 9, 1, 2, 9, 3, -2, 1, 9]);
  const ours = reference.slice();
  ours[0] = (ours[0] as number) + 2e-6;
  const pair = { ours, reference, shape: [1, 3, 3], dims: ['head', 'token', 'key'], pos0: 0, offsets: null };
  const tolerance = { limit: 1e-6, source: 'a test' };
  expect(judge(pair, measure(pair), tolerance).status).toBe('within');
  ours[0] = 1e-4 + 1e-4;
  expect(judge(pair, measure(pair), tolerance)).toMatchObject({ status: 'beyond', worst: { index: [0, 0, 0] } });
});
