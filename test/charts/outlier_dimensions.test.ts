import { describe, expect, test } from 'vitest';
import { outlierDimensions } from '../../src/charts/index.ts';
import { rowsIn, traceWith, warningsOf } from './specs.ts';

/** Two tokens of five dimensions: dimension 3 is large at layer 0, dimension 1 larger at layer 1. */
const trace = traceWith([
  { name: 'l_out-0', shape: [2, 5], data: [1, 1, 1, 8, 1, -1, -1, -1, -8, -1] },
  { name: 'l_out-1', shape: [2, 5], data: [2, 40, 2, 2, 2, 2, 40, 2, 2, 2] },
]);

describe('outlierDimensions', () => {
  test('has the dimensions that stand out most at any layer, against that layer’s median', async () => {
    expect(rowsIn(await outlierDimensions(trace, { k: 2 }))).toEqual([
      { dimension: '1', layer: 0, rms: 1, ratio: 1 },
      { dimension: '1', layer: 1, rms: 40, ratio: 20 },
      { dimension: '3', layer: 0, rms: 8, ratio: 8 },
      { dimension: '3', layer: 1, rms: 2, ratio: 1 },
    ]);
  });

  test('compiles without a warning and names the largest', async () => {
    const chart = await outlierDimensions(trace);
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('dimension 1, up to 20 times the median');
  });
});
