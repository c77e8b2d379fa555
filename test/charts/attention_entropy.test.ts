import { describe, expect, test } from 'vitest';
import { attentionEntropy } from '../../src/charts/index.ts';
import { patternGiven, toAll, toItself } from './patterns.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const chart = await attentionEntropy(traceWith([patternGiven(0, 3, [toItself, toAll])]));

describe('attentionEntropy', () => {
  test('is 0 for a head that looks at one token and the mean of ln n for one that looks at all', () => {
    const rows = rowsIn(chart);
    expect(rows[0]).toEqual({ layer: 0, head: 0, value: 0 });
    expect(rows[1]?.value).toBeCloseTo((Math.log(2) + Math.log(3)) / 2, 5);
  });

  test('says its unit, its largest value and which head has it', () => {
    expect(captionOf(chart)).toContain('in nats');
    expect(chart.description).toContain('0.896 in head 0.1');
  });

  test('compiles without a warning', () => expect(warningsOf(chart)).toEqual([]));
});
