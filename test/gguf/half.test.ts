/** Halves: every one is read exactly, and rounding to them is to nearest even, as ggml's is. */
import { expect, test } from 'vitest';
import { halfAsFloat, halfAt, halfBits } from '../../src/gguf/half.ts';
import { oracleAvailable, quantizeChunk } from '../../src/oracle/index.ts';
import { seeded } from '../seeded.ts';

test('known halves have their values', () => {
  expect(halfAsFloat[0x3c00]).toBe(1);
  expect(halfAsFloat[0xc000]).toBe(-2);
  expect(halfAsFloat[0x7bff]).toBe(65_504);
  expect(halfAsFloat[0x0001]).toBe(2 ** -24);
  expect(halfAsFloat[0x8000]).toBe(-0);
  expect(halfAsFloat[0x7c00]).toBe(Number.POSITIVE_INFINITY);
  expect(halfAsFloat[0x7e00]).toBeNaN();
  expect(halfAt(Uint8Array.of(9, 0x00, 0x3c), 1)).toBe(1);
});

test('every half that is a number rounds to itself', () => {
  const wrong: number[] = [];
  for (let half = 0; half < 1 << 16; half++) {
    const value = halfAsFloat[half]!;
    if (!Number.isNaN(value) && halfBits(value) !== half) wrong.push(half);
  }
  expect(wrong).toEqual([]);
  expect(halfAsFloat[halfBits(Number.NaN)]).toBeNaN();
});

test('ties round to even, and what is too large becomes infinity', () => {
  expect(halfBits(1 + 2 ** -11)).toBe(0x3c00);
  expect(halfBits(1 + 3 * 2 ** -11)).toBe(0x3c02);
  expect(halfBits(2 ** -25)).toBe(0);
  expect(halfBits(3 * 2 ** -25)).toBe(2);
  expect(halfBits(65_519)).toBe(0x7bff);
  expect(halfBits(65_520)).toBe(0x7c00);
  expect(halfBits(-1e9)).toBe(0xfc00);
});

const missing = oracleAvailable();

test.skipIf(missing)(
  missing ? `skipped: ${missing}` : 'ggml rounds 65,536 random numbers of all sizes to the same halves',
  async () => {
    const random = seeded(3);
    const numbers = Float32Array.from({ length: 1 << 16 }, () => (2 * random() - 1) * 2 ** (60 * random() - 40));
    const theirs = new Uint16Array((await quantizeChunk('F16', numbers, 256)).slice().buffer);
    expect(Array.from(numbers, halfBits)).toEqual([...theirs]);
  },
);
