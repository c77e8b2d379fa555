import { describe, expect, test } from 'vitest';
import { differenceMap } from '../../src/charts/index.ts';
import { change } from '../../src/engine/transforms/change.ts';
import { openRandom } from '../engine/models.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const manifest = { tokens: [1, 7], pieces: ['<s>', ' Tom'] };
const traceOf = (data: readonly number[], about = manifest) =>
  traceWith([{ name: 'l_out-0', shape: [data.length / 2, 2], data }], about);

describe('differenceMap', () => {
  test('has ‖ours − reference‖ / ‖reference‖ of each token’s residual stream', async () => {
    const chart = await differenceMap(traceOf([3, 4, 6, 3]), traceOf([3, 4, 6, 8]));
    expect(rowsIn(chart)).toEqual([
      { layer: 0, token: '0 <s>', difference: 0 },
      { layer: 0, token: '1 ␣Tom', difference: 0.5 },
    ]);
    expect(chart.description).toContain('the largest is 50 %, at 1 ␣Tom after layer 0');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('of two that are the same says that there is none', async () => {
    const chart = await differenceMap(traceOf([3, 4, 6, 3]), traceOf([3, 4, 6, 3]));
    expect(chart.description).toContain('there is none');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('draws long texts in blocks, each as one vector', async () => {
    const about = { tokens: [], pieces: [] };
    const [ours, reference] = [2, 1].map((x) => traceOf(Array(2 * 300).fill(x), { ...about, tokens: [] }));
    const chart = await differenceMap(ours as never, reference as never);
    expect(captionOf(chart)).toContain('blocks of 2 tokens');
    expect(rowsIn(chart)).toHaveLength(150);
    expect(new Set(rowsIn(chart).map(({ difference }) => difference))).toEqual(new Set([1]));
  });

  test('a token’s change is felt by it and by later ones, never by earlier ones', async () => {
    const model = await openRandom('reference');
    const plain = await model.start([1, 40, 77, 9]).toEnd();
    const run = await model
      .with(change('l_out-0', { how: 'noise', by: 1, token: 2 }))
      .start([1, 40, 77, 9])
      .toEnd();
    const rows = rowsIn(await differenceMap(run, plain));
    // An edited tensor is rounded to f32, which the others here are not.
    const at = (layer: number) =>
      rows.filter((row) => row.layer === layer).map(({ difference }) => Number(difference) > 1e-5);
    expect(at(0)).toEqual([false, false, true, false]);
    expect(at(2)).toEqual([false, false, true, true]);
  });

  test('other tokens are refused', async () => {
    const other = traceOf([1, 2, 3, 4], { ...manifest, tokens: [1, 8] });
    await expect(differenceMap(traceOf([1, 2, 3, 4]), other)).rejects.toThrow('part at position 1');
  });
});
