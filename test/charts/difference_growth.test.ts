import { describe, expect, test } from 'vitest';
import { differenceGrowth } from '../../src/charts/index.ts';
import { change } from '../../src/engine/transforms/change.ts';
import { openRandom, relativeRmsError } from '../engine/models.ts';
import { captionOf, type Given, rowsIn, traceWith, warningsOf } from './specs.ts';

const given = (values: Readonly<Record<string, readonly number[]>>): Given[] =>
  Object.entries(values).map(([name, data]) => ({ name, shape: [1, data.length], data }));
const before = traceWith(given({ embd: [3, 4], 'attn_out-0': [0, 5], 'l_out-0': [6, 8], result_norm: [1, 0] }));

describe('differenceGrowth', () => {
  test('has the relative RMS difference of every tensor, and where the first of them is', async () => {
    const after = traceWith(given({ embd: [3, 4], 'attn_out-0': [0, 0], 'l_out-0': [6, 3], result_norm: [1, 2] }));
    const chart = await differenceGrowth(after, before);
    const points = rowsIn(chart).filter(({ difference }) => difference !== undefined);
    expect(points.slice(0, 4).map(({ name, difference, said }) => [name, difference, said])).toEqual([
      ['embd', 0, '0 %'],
      ['attn_out-0', 1, '100 %'],
      ['l_out-0', 0.5, '50 %'],
      ['result_norm', 2, '200 %'],
    ]);
    expect(rowsIn(chart)[0]).toEqual({ order: 1, label: 'changed from here: attn_out-0' });
    expect(chart.description).toContain(
      'the first to differ is attn_out-0 with 100 %, the last is result_norm with 200 %',
    );
    expect(warningsOf(chart)).toEqual([]);
  });

  test('of two runs that are the same marks nothing', async () => {
    const chart = await differenceGrowth(before, before);
    expect(chart.description).toContain('none differs');
    expect(rowsIn(chart).every(({ label }) => label === undefined)).toBe(true);
    expect(warningsOf(chart)).toEqual([]);
  });

  test('what has no finite difference is drawn at the top and counted', async () => {
    const after = traceWith(given({ embd: [3, 4], 'attn_out-0': [0, 5], 'l_out-0': [6, 3], result_norm: [1, 0] }));
    const zero = traceWith(given({ embd: [3, 4], 'attn_out-0': [0, 0], 'l_out-0': [6, 8], result_norm: [1, 0] }));
    const chart = await differenceGrowth(after, zero);
    expect(captionOf(chart)).toContain('1 without a finite difference');
    expect(rowsIn(chart).find(({ name }) => name === 'attn_out-0')).toMatchObject({
      difference: 0.55,
      said: 'not finite',
    });
  });

  test('other tokens are refused', async () => {
    const [mine, theirs] = [{ tokens: [1, 7] }, { tokens: [1, 8] }].map((manifest) =>
      traceWith([{ name: 'embd', shape: [2, 1], data: [1, 2] }], manifest),
    );
    await expect(differenceGrowth(mine as typeof before, theirs as typeof before)).rejects.toThrow(
      'part at position 1, token 7 here and 8 there',
    );
  });

  test('what a side kept no values of is counted, and where that is everything the cure is said', async () => {
    const part = traceWith(given({ embd: [3, 4], 'l_out-0': [6, 3] }));
    expect(captionOf(await differenceGrowth(before, part))).toContain(
      '2 tensors without values in both runs are not drawn',
    );
    const other = traceWith(given({ 'ffn_out-0': [6, 3], embd: [1, 2, 3] }));
    await expect(differenceGrowth(other, before)).rejects.toThrow("start both with select: 'all'");
  });

  test('of a changed run it begins at the change, and its numbers are those of the tensors', async () => {
    const model = await openRandom('reference');
    const plain = await model.start([1, 40, 77]).toEnd();
    const run = await model
      .with(change('kqv_out-1', { how: 'zero', head: 2 }))
      .start([1, 40, 77])
      .toEnd();
    const rows = rowsIn(await differenceGrowth(run, plain));
    expect(rows[0]?.label).toBe('changed from here: kqv_out-1');
    const wanted = relativeRmsError((await run.tensor('l_out-2')).data, (await plain.tensor('l_out-2')).data);
    expect(rows.find(({ name }) => name === 'l_out-2')?.difference).toBeCloseTo(wanted, 5);
    expect(rows.filter(({ name, difference }) => /-0$/.test(`${name}`) && difference !== 0)).toEqual([]);
  });
});
