import { expect, test } from 'vitest';
import { histogramOf } from '../../src/trace/histogram.ts';

test('every finite value is in one bin, the greatest in the last, and NaN and Inf in none', () => {
  const data = Float32Array.of(0, 1, 1, 2, 4, Number.NaN, Number.POSITIVE_INFINITY);
  expect(histogramOf(data, 4)).toEqual({ range: [0, 4], counts: [1, 2, 1, 1] });
});

test('values that are all one are in the first bin, and without any there is no range', () => {
  expect(histogramOf(Float32Array.of(3, 3), 2)).toEqual({ range: [3, 3], counts: [2, 0] });
  expect(histogramOf(Float32Array.of(Number.NaN), 2)).toEqual({ range: null, counts: [0, 0] });
});
