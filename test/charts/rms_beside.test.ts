import { describe, expect, test } from 'vitest';
import { rmsBeside } from '../../src/charts/index.ts';
import {
  comparisonWith,
  everyComparison,
  refusedForBos,
  sums,
  tensorsOf,
  turned,
  withNaN,
} from '../compare/comparisons.ts';
import { captionOf, rowsIn, warningsOf } from './specs.ts';

describe('rmsBeside', () => {
  test.each(everyComparison.filter(([, each]) => each !== refusedForBos && each !== sums))(
    '%s: compiles without a warning',
    async (_, comparison) => {
      expect(warningsOf(await rmsBeside(comparison))).toEqual([]);
    },
  );

  test('of a RoPE fault shows that no RMS moves, and that the error and the turn do', async () => {
    const row = rowsIn(await rmsBeside(turned)).find(({ name }) => name === 'Qcur_rope-0');
    expect(row?.rmsOurs).toBe(row?.rmsReference);
    expect(row).toMatchObject({ drawn: 0.7, turned: 0.245, standing: 'error made here' });
  });

  test('of a fault that scales, names the tensor where the RMS are furthest apart', async () => {
    const scaled = comparisonWith({
      tensors: tensorsOf((name) => (name === 'attn_norm-2' ? { rmsRatio: 7, error: 6 } : {})),
    });
    expect((await rmsBeside(scaled)).description).toMatch(
      /furthest apart at attn_norm-2, [\d.]+ and [\d.]+; .* is 6\.0e\+0, at attn_norm-2/,
    );
  });

  test('leaves an RMS of 0 out, and counts it', async () => {
    const chart = await rmsBeside(withNaN);
    expect(captionOf(chart)).toContain('RMS of 0 or unknown, so not drawn: 50');
    expect(rowsIn(chart).some(({ rmsOurs, side }) => rmsOurs === 0 && side === 'ours (dot)')).toBe(false);
  });

  test('of a refused comparison says so', async () => {
    await expect(rmsBeside(refusedForBos)).rejects.toThrow(
      'Cannot draw the RMS of both sides: the comparison was refused',
    );
  });
});
