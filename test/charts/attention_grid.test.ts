import { describe, expect, test } from 'vitest';
import { attentionGrid } from '../../src/charts/index.ts';
import { patternGiven, toFirst, toItself, toPrevious } from './patterns.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const trace = traceWith([patternGiven(0, 3, [toItself, toFirst]), patternGiven(1, 3, [toPrevious, toFirst])]);

describe('attentionGrid', () => {
  test('has every head of every layer, masked cells left out', async () => {
    const rows = rowsIn(await attentionGrid(trace));
    expect(rows).toHaveLength(4 * 6);
    expect(rows.filter(({ layer, head, query }) => layer === 1 && head === 0 && query === '2')).toEqual([
      { layer: 1, head: 0, query: '2', key: '0', weight: 0 },
      { layer: 1, head: 0, query: '2', key: '1', weight: 1 },
      { layer: 1, head: 0, query: '2', key: '2', weight: 0 },
    ]);
  });

  test('of one layer has that layer’s heads only', async () => {
    const chart = await attentionGrid(trace, { layer: 1 });
    expect(new Set(rowsIn(chart).map(({ layer }) => layer))).toEqual(new Set([1]));
    expect(captionOf(chart)).toContain('the 2 heads of layer 1');
  });

  test('of many heads over a long text stays small and says how it was cut down', async () => {
    const heads = Array.from({ length: 32 }, () => toItself);
    const chart = await attentionGrid(traceWith([0, 1, 2, 3].map((layer) => patternGiven(layer, 400, heads))));
    expect(rowsIn(chart).length).toBeLessThan(11_000);
    expect(captionOf(chart)).toContain('blocks of 34 tokens');
    expect(captionOf(chart)).toContain('One layer alone, with { layer }, shows more');
    expect(JSON.stringify(chart).length).toBeLessThan(2e6);
  });

  test.each([{}, { layer: 0 }])('compiles without a warning and has alternative text %j', async (options) => {
    const chart = await attentionGrid(trace, options);
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('over 3 tokens');
  });
});
