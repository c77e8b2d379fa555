import { describe, expect, it } from 'vitest';
import { statisticsOf } from '../../src/trace/statistics.ts';
import { normals, seeded } from '../seeded.ts';

describe('statistics', () => {
  it('of [3, -4, 0, 1] are those computed by hand', () => {
    const { hash64, ...rest } = statisticsOf(Float32Array.of(3, -4, 0, 1));
    expect(rest).toEqual({
      n: 4,
      sum: 0,
      mean: 0,
      rms: Math.sqrt(26 / 4),
      min: -4,
      max: 3,
      absmax: 4,
      nanCount: 0,
      infCount: 0,
      zeroCount: 1,
    });
    expect(hash64).toMatch(/^[0-9a-f]{16}$/);
  });

  it('count NaN and Inf and leave them out of the rest', () => {
    const s = statisticsOf(Float32Array.of(NaN, 2, Infinity, -Infinity, -4, -0, NaN));
    expect(s).toMatchObject({ n: 7, sum: -2, nanCount: 2, infCount: 2, zeroCount: 1, min: -4, max: 2, absmax: 4 });
    expect(s.rms).toBeCloseTo(Math.sqrt(20 / 3), 12);
  });

  it('have no min, max and absmax where no element is finite', () => {
    expect(statisticsOf(Float32Array.of(NaN, Infinity))).toMatchObject({ min: null, max: null, absmax: null, rms: 0 });
    expect(statisticsOf(new Float32Array(0))).toMatchObject({ n: 0, sum: 0, mean: 0, rms: 0, min: null });
  });

  it('survive values whose squares overflow or vanish in f32', () => {
    expect(statisticsOf(Float32Array.of(1e30, -1e30)).rms / 1e30).toBeCloseTo(1, 6);
    expect(statisticsOf(Float32Array.of(1e-40)).rms / 1e-40).toBeCloseTo(1, 3);
  });

  it('lose nothing as JSON', () => {
    const s = statisticsOf(Float32Array.of(-0, 1e38, 3e38, -1e-45));
    expect(JSON.parse(JSON.stringify(s))).toEqual(s);
    expect(Object.is(statisticsOf(Float32Array.of(-0)).min, 0)).toBe(true);
  });
});

describe('hash64', () => {
  const data = normals(seeded(1), 1000);
  const hash = statisticsOf(data).hash64;

  it('changes with any flipped bit', () => {
    for (let element = 0; element < data.length; element += 37) {
      for (let bit = 0; bit < 32; bit++) {
        const flipped = data.slice();
        new Uint32Array(flipped.buffer)[element]! ^= 1 << bit;
        expect(statisticsOf(flipped).hash64).not.toBe(hash);
      }
    }
  });

  it('changes when any two elements change places', () => {
    const random = seeded(2);
    for (let trial = 0; trial < 500; trial++) {
      const [i, j] = [Math.floor(random() * 1000), Math.floor(random() * 1000)];
      if (i === j) continue;
      const swapped = data.slice();
      [swapped[i], swapped[j]] = [data[j] as number, data[i] as number];
      expect(statisticsOf(swapped).hash64).not.toBe(hash);
    }
  });

  it('tells lengths, the sign of zero and the payload of NaN apart', () => {
    const nan = new Float32Array(Uint32Array.of(0x7fc00001).buffer);
    const all = [
      new Float32Array(0),
      Float32Array.of(0),
      Float32Array.of(0, 0),
      Float32Array.of(-0),
      Float32Array.of(NaN),
      nan,
    ];
    expect(new Set(all.map((values) => statisticsOf(values).hash64)).size).toBe(all.length);
  });

  it('has no collision among 20,000 small changes of a row of zeros', () => {
    const hashes = new Set<string>();
    const row = new Float32Array(64);
    const bits = new Uint32Array(row.buffer);
    for (let i = 0; i < 64; i++) {
      for (let value = 1; value <= 313; value++) {
        bits[i] = value;
        hashes.add(statisticsOf(row).hash64);
        bits[i] = 0;
      }
    }
    expect(hashes.size).toBe(64 * 313);
  });
});
