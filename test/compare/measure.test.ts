import { describe, expect, it } from 'vitest';
import { eachRow, measure, type Pair, placeAt, sumNoise } from '../../src/compare/measure.ts';
import { halfAsFloat, halfBits } from '../../src/gguf/half.ts';
import { sizeOf } from '../../src/ops/shape.ts';
import { normals, seeded } from '../seeded.ts';

function pair(ours: readonly number[], reference: readonly number[], parts: Partial<Pair> = {}): Pair {
  return {
    ours: Float32Array.from(ours),
    reference: Float32Array.from(reference),
    shape: [ours.length],
    dims: ['embd'],
    pos0: 0,
    offsets: null,
    ...parts,
  };
}

describe('measure', () => {
  it('of [3, 1, -2] against [3, 2, -4] is what is computed by hand', () => {
    const { measure: found } = measure(pair([3, 1, -2], [3, 2, -4]));
    expect(found).toEqual({
      n: 3,
      relativeRmsError: Math.sqrt(5) / Math.sqrt(29),
      nmse: expect.closeTo(5 / 29, 15),
      cosine: 19 / Math.sqrt(14 * 29),
      maxAbsError: 2,
      maxAt: { index: [2], token: null, head: null },
      maxUlps: 2 ** 23, // from 1 to 2, and from -2 to -4, is one exponent
      rmsRatio: Math.sqrt(14 / 29),
      sum: { ours: 2, reference: 1, noise: 1e-6 * 9 },
      nonFinite: 0,
      bitsDiffer: 2,
    });
  });

  it('of an array against itself is no error at all, whatever the shape', () => {
    const random = seeded(1);
    for (const shape of [[1], [7, 13], [5, 3, 8], [2, 4, 4]]) {
      const data = normals(random, sizeOf(shape));
      const dims = ['token', 'head', 'dim'].slice(-shape.length);
      const { measure: found } = measure({ ours: data, reference: data.slice(), shape, dims, pos0: 0, offsets: null });
      expect(found).toMatchObject({ relativeRmsError: 0, nmse: 0, cosine: 1, maxAbsError: 0, maxUlps: 0, rmsRatio: 1 });
      expect(found).toMatchObject({ n: data.length, nonFinite: 0, bitsDiffer: 0 });
      expect(found.sum.ours).toBe(found.sum.reference);
    }
  });

  it('is infinitely far from a reference of zeros, and not at all where both are zeros', () => {
    const zeros = measure(pair([0, 0], [0, 0])).measure;
    expect(zeros).toMatchObject({ relativeRmsError: 0, nmse: 0, rmsRatio: 1, cosine: NaN });
    const dead = measure(pair([0, 0], [3, 4])).measure;
    expect(dead).toMatchObject({ relativeRmsError: 1, rmsRatio: 0, cosine: NaN });
    const alive = measure(pair([3, 4], [0, 0])).measure;
    expect(alive).toMatchObject({ relativeRmsError: Infinity, nmse: Infinity, rmsRatio: Infinity });
  });

  it('of nothing has nothing to name', () => {
    expect(measure(pair([], [])).measure).toMatchObject({ n: 0, relativeRmsError: 0, maxAt: null, nonFinite: 0 });
  });

  it('counts in ULPs the f32 numbers from one to the other, and zero has one', () => {
    const next = new Float32Array(Int32Array.of(0x3f800001).buffer)[0] as number;
    const least = 2 ** -149;
    expect(measure(pair([1], [next])).measure.maxUlps).toBe(1);
    expect(measure(pair([-next], [-1])).measure.maxUlps).toBe(1);
    expect(measure(pair([-least], [least])).measure.maxUlps).toBe(2);
    expect(measure(pair([-0], [0])).measure).toMatchObject({ maxUlps: 0, bitsDiffer: 1, maxAbsError: 0 });
    expect(measure(pair([3.4028234663852886e38], [-3.4028234663852886e38])).measure.maxUlps).toBe(2 * 0x7f7fffff);
  });

  it('loses no digit of 1e6 numbers that f32 sums would be off by a hundredth on', () => {
    const reference = new Float32Array(1e6).fill(0.1);
    const ours = reference.map((x, i) => (i % 2 ? x : Math.fround(x * (1 + 1e-5))));
    const step = (ours[0] as number) - (reference[0] as number);
    const { measure: found } = measure(pair([], [], { ours, reference, shape: [1000, 1000], dims: ['token', 'embd'] }));
    const y = Math.fround(0.1);
    expect(found.sum.reference / (1e6 * y)).toBeCloseTo(1, 12);
    expect(found.relativeRmsError / (step / y / Math.SQRT2)).toBeCloseTo(1, 12);
  });
});

describe('what is not finite', () => {
  it('is equal where both sides have the same kind, and counted where they have not', () => {
    const kinds = [NaN, Infinity, -Infinity, 1];
    for (const x of kinds) {
      for (const y of kinds) {
        const { measure: found } = measure(pair([2, x, 5], [2, y, 4]));
        expect(found.nonFinite, `${x} against ${y}`).toBe(Object.is(x, y) ? 0 : 1);
        expect(found).toMatchObject({ n: 3, maxAbsError: 1, maxAt: { index: [2] } });
        const finite = x === 1 && y === 1 ? 21 : 20;
        expect(found.nmse).toBeCloseTo(1 / finite, 14);
      }
    }
  });

  it('may be NaN with other bits, which is the same NaN to a number and another to the bits', () => {
    const other = new Float32Array(Uint32Array.of(0x7fc00001).buffer);
    const { measure: found } = measure(pair([], [], { ours: other, reference: Float32Array.of(NaN), shape: [1] }));
    expect(found).toMatchObject({ nonFinite: 0, bitsDiffer: 1, n: 1, maxAt: null, maxUlps: 0 });
  });
});

describe('masked cells', () => {
  const dims = ['head', 'token', 'key'];

  it('are left out of everything: a token sees the keys up to its own position', () => {
    const random = seeded(2);
    for (const [heads, tokens, pos0] of [
      [1, 1, 0],
      [3, 5, 0],
      [2, 4, 6],
      [2, 1, 9],
    ] as const) {
      const shape = [heads, tokens, pos0 + tokens];
      const reference = normals(random, sizeOf(shape));
      const ours = reference.slice();
      let seen = 0;
      for (let offset = 0; offset < ours.length; offset++) {
        const [, token, key] = placeAt({ shape, dims, pos0 }, offset).index as [number, number, number];
        if (key > pos0 + token) ours[offset] = offset % 2 ? NaN : 1e9;
        else seen++;
      }
      const found = measure({ ours, reference, shape, dims, pos0, offsets: null });
      expect(found.measure).toMatchObject({ n: seen, bitsDiffer: 0, nonFinite: 0, relativeRmsError: 0 });
      expect(found.byToken).toEqual(Array(tokens).fill(0));
    }
  });

  it('begin right after the last cell that is seen', () => {
    const shape = [2, 3, 5];
    const reference = new Float32Array(30).fill(1);
    const changed = (head: number, token: number, key: number) => {
      const ours = reference.slice();
      ours[(head * 3 + token) * 5 + key] = 2;
      return measure({ ours, reference, shape, dims, pos0: 2, offsets: null });
    };
    expect(changed(1, 1, 4).measure.bitsDiffer).toBe(0);
    const last = changed(1, 1, 3);
    expect(last.measure).toMatchObject({ bitsDiffer: 1, maxAt: { index: [1, 1, 3], token: 3, head: 1 } });
    expect(last.byToken).toEqual([0, 1 / Math.sqrt(8), 0]);
    expect(last.byHead).toEqual([0, 1 / Math.sqrt(12)]);
  });
});

describe('by token and by head', () => {
  it('is the measure of that part alone, wherever the axis stands', () => {
    const random = seeded(3);
    for (const [shape, dims] of [
      [
        [5, 3, 4],
        ['token', 'head', 'dim'],
      ],
      [
        [3, 5, 4],
        ['head', 'token', 'dim'],
      ],
      [
        [5, 3],
        ['token', 'head'],
      ],
      [
        [3, 5],
        ['head', 'token'],
      ],
      [
        [5, 1],
        ['token', 'one'],
      ],
      [[5], ['token']],
    ] as const) {
      const reference = normals(random, sizeOf(shape));
      const ours = reference.map((x) => x + 0.01 * random());
      const found = measure({ ours, reference, shape, dims, pos0: 0, offsets: null });
      for (const [name, list] of [
        ['token', found.byToken],
        ['head', found.byHead],
      ] as const) {
        const axis = (dims as readonly string[]).indexOf(name);
        if (axis < 0) {
          expect(list).toBeNull();
          continue;
        }
        expect(list).toHaveLength(shape[axis] as number);
        list?.forEach((error, i) => {
          const here = Array.from(ours.keys()).filter((o) => placeAt({ shape, dims, pos0: 0 }, o).index[axis] === i);
          const at = (data: Float32Array) => here.map((o) => data[o] as number);
          expect(error).toBeCloseTo(measure(pair(at(ours), at(reference))).measure.relativeRmsError, 14);
        });
      }
    }
  });
});

describe('a log, of which only corners are known,', () => {
  it('is measured on what it printed, at the coordinates of the whole', () => {
    const [shape, dims] = [
      [4, 6],
      ['token', 'embd'],
    ];
    const offsets = Uint32Array.of(0, 1, 5, 18, 23);
    const found = measure(pair([1, 2, 3, 4, 5], [1, 2, 3, 4, 9], { offsets, shape, dims, pos0: 10 }));
    expect(found.measure).toMatchObject({ n: 5, bitsDiffer: 1, maxAt: { index: [3, 5], token: 13, head: null } });
    expect(found.byToken).toEqual([0, 0, 0, 4 / Math.sqrt(97)]);
    expect(found.parts.tokens?.map(({ n }) => n)).toEqual([3, 0, 0, 2]);
  });

  it('loses its masked cells too', () => {
    const [shape, dims] = [
      [1, 3, 3],
      ['head', 'token', 'key'],
    ];
    const offsets = Uint32Array.of(0, 1, 3, 4, 5, 8);
    const rows: number[][] = [];
    const given = pair([1, 2, 3, 4, 5, 6], [1, 0, 3, 4, 0, 6], { offsets, shape, dims });
    eachRow(given, (from, to) => rows.push([from, to]));
    expect(rows).toEqual([
      [0, 1],
      [2, 4],
      [5, 6],
    ]);
    expect(measure(given).measure).toMatchObject({ n: 4, bitsDiffer: 0 });
  });
});

describe('the noise of a sum', () => {
  it('is 1e-6 of the sum of magnitudes in f32, and covers what f32 rounding moves', () => {
    const values = normals(seeded(4), 4096, 3);
    const { sum } = measure(pair([], [], { ours: values, reference: values, shape: [4096] })).measure;
    expect(sum.noise).toBeCloseTo(1e-6 * values.reduce((total, x) => total + Math.abs(x), 0), 9);
  });

  it('covers what storing either side as f16 moves, and is not many times that', () => {
    const random = seeded(5);
    let largest = 0;
    for (let trial = 0; trial < 200; trial++) {
      const reference = normals(random, 2000, 10 ** (4 * random() - 3));
      const ours = reference.map((x) => halfAsFloat[halfBits(x)] as number);
      const storage = { ours: 'f16', reference: 'f32' };
      const { sum } = measure(pair([], [], { ours, reference, shape: [2000], storage })).measure;
      largest = Math.max(largest, Math.abs(sum.ours - sum.reference) / sum.noise);
    }
    expect(largest).toBeLessThan(1);
    expect(largest).toBeGreaterThan(0.1);
  });

  it('never exceeds what rounding every number the same way would do', () => {
    const one = { finite: 1, magnitudes: 1, referenceSquared: 1 };
    const f32 = sumNoise(one);
    expect(sumNoise(one, { ours: 'f16', reference: 'f32' }) - f32).toBeCloseTo(2 ** -11 + 2 ** -25, 12);
    expect(sumNoise(one, { ours: 'bf16', reference: 'f16' }) - f32).toBeCloseTo(2 ** -8 + 2 ** -11 + 2 ** -24, 12);
  });
});

it('a pair whose numbers do not fill its shape is refused', () => {
  expect(() => measure(pair([1, 2], [1, 2], { shape: [3] }))).toThrow(
    'Cannot measure a pair of shape [3], dims [embd]: ours holds 2 numbers, the reference 2; wanted 3 of each',
  );
  expect(() => measure(pair([1, 2], [1], { offsets: Uint32Array.of(0, 1), shape: [9] }))).toThrow('the reference 1');
});

it('a place knows the position in the text', () => {
  const kq = { shape: [2, 3, 7], dims: ['head', 'token', 'key'], pos0: 4 };
  expect(placeAt(kq, 0)).toEqual({ index: [0, 0, 0], token: 4, head: 0 });
  expect(placeAt(kq, 41)).toEqual({ index: [1, 2, 6], token: 6, head: 1 });
  expect(placeAt({ shape: [5], dims: ['axis0'], pos0: 4 }, 3)).toEqual({ index: [3], token: null, head: null });
});
