import { describe, expect, test } from 'vitest';
import { distribution } from '../../src/charts/index.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

/** 0 … 100 in no order: each percentile is its own number. */
const hundred = Float32Array.from({ length: 101 }, (_, i) => (i * 37) % 101);
const trace = traceWith([{ name: 'l_out-0', shape: [1, 101], data: hundred }]);

describe('distribution', () => {
  test('has quartiles, the 1st and 99th percentile and the extremes by layer', async () => {
    expect(rowsIn(await distribution(trace))).toEqual([
      { layer: 0, min: 0, p1: 1, p25: 25, median: 50, p75: 75, p99: 99, max: 100 },
    ]);
  });

  test('draws the tensor that is asked for, without what is no number', async () => {
    const data = [Number.NaN, 2, Number.POSITIVE_INFINITY, 2];
    const chart = await distribution(traceWith([{ name: 'ffn_out-3', shape: [2, 2], data }]), { tensor: 'ffn_out' });
    expect(rowsIn(chart)[0]).toMatchObject({ layer: 3, min: 2, max: 2 });
    expect(captionOf(chart)).toContain('2 values are NaN or Inf');
    await expect(distribution(trace, { tensor: 'ffn_out' })).rejects.toThrow('the trace has no ffn_out-0');
  });

  test('compiles without a warning and says where the last layer’s values are', async () => {
    const chart = await distribution(trace);
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('between 25 and 75, the extremes 0 and 100');
  });
});
