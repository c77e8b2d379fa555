import { describe, expect, test } from 'vitest';
import { errorGrowth } from '../../src/charts/index.ts';
import { standingOf } from '../../src/compare/report/standing.ts';
import {
  agree,
  bug,
  bugOf,
  comparisonWith,
  everyComparison,
  flippedBit,
  otherLayout,
  refusedForBos,
  sums,
  tensorsOf,
  withNaN,
} from '../compare/comparisons.ts';
import { captionOf, rowsIn, svgOf, warningsOf } from './specs.ts';

const pointAt = async (comparison: typeof bug, name: string) =>
  rowsIn(await errorGrowth(comparison)).find((row) => row.name === name && 'standing' in row);

describe('errorGrowth', () => {
  test.each(everyComparison.filter(([, each]) => each !== refusedForBos && each !== sums))(
    '%s: compiles without a warning',
    async (_, comparison) => {
      expect(warningsOf(await errorGrowth(comparison))).toEqual([]);
    },
  );

  test('has a point per tensor, with its error, its limit and how it stands', async () => {
    const chart = await errorGrowth(bug);
    const names = new Set(rowsIn(chart).map(({ name }) => name));
    for (const { name } of bug.tensors) expect(names).toContain(name);
    expect(await pointAt(bug, 'kq-3')).toMatchObject({
      error: '2.1e-1',
      drawn: 0.21,
      limit: 1e-5,
      standing: 'error made here',
    });
    expect(await pointAt(bug, 'kqv_out-3')).toMatchObject({ standing: 'inherited error' });
    expect(await pointAt(bug, 'embd')).toMatchObject({ standing: 'within tolerance' });
  });

  test('names the first divergence in the picture and in the alternative text', async () => {
    const chart = await errorGrowth(bug);
    expect(await svgOf(chart)).toContain('first divergence: kq-3, token 5 ␣to, head 2, [2, 5, 3]');
    expect(chart.description).toContain('they part at kq-3 with 2.1e-1, where 1.0e-5 is allowed');
    expect((await errorGrowth(agree)).description).toContain('they part nowhere');
  });

  test('tells every standing by shape as well as by colour', async () => {
    for (const comparison of [bug, otherLayout, flippedBit]) {
      const { layer } = (await errorGrowth(comparison)) as unknown as {
        layer: { encoding: Record<string, { scale: { domain: string[]; range: string[] } }> }[];
      };
      const { color, shape } = layer.at(-1)?.encoding ?? {};
      expect(color?.scale.domain.length).toBe(new Set(comparison.tensors.map(standingOf)).size);
      expect(shape?.scale.domain).toEqual(color?.scale.domain);
      const looks = color?.scale.range.map((colour, i) => colour + shape?.scale.range[i]);
      expect(new Set(looks).size).toBe(looks?.length);
    }
  });

  test('what a log scale cannot show is drawn at its edges and said', async () => {
    expect(await pointAt(flippedBit, 'embd')).toMatchObject({ error: '0', drawn: 1e-9 });
    expect(captionOf(await errorGrowth(flippedBit))).toContain('An error below 1e-9 is drawn at 1e-9');
    expect(await pointAt(withNaN, 'kq-3')).toMatchObject({ error: 'NaN', drawn: 1e-4 });
    expect(captionOf(await errorGrowth(withNaN))).toContain('50 without a finite error');
  });

  test('draws what has no rule, and leaves its limit out', async () => {
    const bare = comparisonWith({ tensors: tensorsOf((name) => (name === 'embd' ? { tolerance: null } : {})) });
    expect(await pointAt(bare, 'embd')).toMatchObject({ standing: 'no rule', limit: null, allowed: 'no rule' });
  });

  test('of a very long run draws one of several neighbours, the first divergence always, and says so', async () => {
    const long = bugOf({ nLayer: 200 });
    const chart = await errorGrowth(long);
    const points = rowsIn(chart).filter((row) => 'standing' in row);
    expect(points.length).toBeLessThanOrEqual(3 * 1000);
    expect(points.some(({ name }) => name === 'kq-3')).toBe(true);
    expect(captionOf(chart)).toContain('Of every 4 neighbours the one with the largest error');
  });

  test('of a refused comparison, or of sums alone, says why it cannot be drawn and what to do', async () => {
    await expect(errorGrowth(refusedForBos)).rejects.toThrow(
      'Cannot draw the growth of error: the comparison was refused (tokens, bos); make both the same experiment',
    );
    await expect(errorGrowth(sums)).rejects.toThrow('none has values on both sides; compare traces that keep values');
  });

  test('marks where passes begin in place of layers where there are several', async () => {
    const passes = [0, 1].flatMap((pass) => tensorsOf(() => ({ pass })));
    const chart = await errorGrowth(comparisonWith({ tensors: passes }));
    expect(JSON.stringify(chart)).toContain('ticks: passes');
    expect(rowsIn(chart).some(({ name }) => name === 'embd (pass 1)')).toBe(true);
  });
});
