import { describe, expect, test } from 'vitest';
import { attentionDifference } from '../../src/charts/index.ts';
import { patternGiven, toAll, toFirst, toItself } from './patterns.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const MANIFEST = { pieces: ['<s>', ' Lily', ' gave'] };
const healthy = traceWith([patternGiven(0, 3, [toItself, toAll])], MANIFEST);
const faulty = traceWith([patternGiven(0, 3, [toItself, toFirst])], MANIFEST);

describe('attentionDifference', () => {
  test('has both patterns and ours minus the reference, cell by cell', async () => {
    const chart = await attentionDifference(faulty, healthy, { layer: 0, head: 1 });
    expect(rowsIn(chart)).toHaveLength(6);
    expect(rowsIn(chart)[1]).toEqual({ query: '1 ␣Lily', key: '0 <s>', ours: 1, reference: 0.5, difference: 0.5 });
    expect(rowsIn(chart)[2]).toMatchObject({ key: '1 ␣Lily', difference: -0.5 });
    expect(chart.description).toContain('largest from 2 ␣gave to 0 <s>, 100 % for 33.3 %');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('its colours are centred on 0, and as wide to both sides', async () => {
    const chart = (await attentionDifference(faulty, healthy, { layer: 0, head: 1 })) as unknown as {
      hconcat: { encoding: { color: { scale: { domain: number[]; domainMid: number } } } }[];
    };
    const { domain, domainMid } = chart.hconcat[2]?.encoding.color.scale ?? {};
    expect(domainMid).toBe(0);
    expect(domain?.[0]).toBe(-(domain?.[1] ?? 0));
    expect(domain?.[1]).toBeCloseTo(2 / 3, 5);
  });

  test('of two that are the same says so, and compiles', async () => {
    const chart = await attentionDifference(healthy, healthy, { layer: 0, head: 0 });
    expect(chart.description).toContain('they are the same');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('cells that are not finite are left blank and counted', async () => {
    const broken = traceWith(
      [patternGiven(0, 3, [toItself, (query) => ({ 0: query === 2 ? Number.NaN : 1 })])],
      MANIFEST,
    );
    const chart = await attentionDifference(broken, healthy, { layer: 0, head: 1 });
    expect(captionOf(chart)).toContain('Cells that are not finite, left blank: 1');
  });

  test('refuses other positions, a head that is not there, and a reference without the layer', async () => {
    const shorter = traceWith([patternGiven(0, 2, [toItself, toAll])]);
    await expect(attentionDifference(faulty, shorter, { layer: 0, head: 1 })).rejects.toThrow(
      'ours is over positions 0 to 2, the reference over positions 0 to 1; give two runs of the same tokens',
    );
    await expect(attentionDifference(faulty, healthy, { layer: 0, head: 2 })).rejects.toThrow(
      'the layer has heads 0 to 1',
    );
    await expect(attentionDifference(faulty, traceWith([]), { layer: 0, head: 1 })).rejects.toThrow('in the reference');
  });
});
