import { describe, expect, test } from 'vitest';
import { rankTrajectory } from '../../src/charts/index.ts';
import { type Given, rowsIn, traceWith, warningsOf } from './specs.ts';

const lensGiven = (layer: number, logits: readonly number[], ids: readonly number[]): Given[] => [
  { name: `lens_logits-${layer}`, shape: [1, 4], dims: ['token', 'vocab'], data: logits },
  { name: `lens_ids-${layer}`, shape: [1, ids.length], dims: ['token', 'rank'], data: ids },
];
const trace = traceWith([...lensGiven(0, [4, 3, 2, 2], [0, 1, 2, 3]), ...lensGiven(1, [1, 9, 5, 2], [1, 2, 3, 0])]);
const tokenizer = {
  piece: (id: number) => 'abcd'[id] as string,
  encode: (text: string) => [...text].map((x) => 'abcd'.indexOf(x)),
};
const ranks = async (options: Parameters<typeof rankTrajectory>[1]) =>
  rowsIn(await rankTrajectory(trace, options)).map(({ token, layer, rank }) => [token, layer, rank]);

describe('rankTrajectory', () => {
  test('has the rank of each chosen token after each layer, of equals the lower id first', async () => {
    expect(await ranks({ tokens: [3, 'a'], tokenizer })).toEqual([
      ['d', 0, 4],
      ['a', 0, 1],
      ['d', 1, 3],
      ['a', 1, 4],
    ]);
  });

  test('follows the last layer’s first three unless told others', async () => {
    expect((await ranks({})).map(([token]) => token)).toEqual(['#1', '#2', '#3', '#1', '#2', '#3']);
  });

  test('refuses what is no single token, and text where nothing knows what it is', async () => {
    await expect(ranks({ tokens: ['ab'], tokenizer })).rejects.toThrow('it is 2 tokens, a|b');
    await expect(ranks({ tokens: ['a'] })).rejects.toThrow('a trace has no tokenizer');
    await expect(ranks({ tokens: [4] })).rejects.toThrow('ids go from 0 to 3');
  });

  test('draws a token that is given twice once, and refuses more than colours tell apart', async () => {
    expect(await ranks({ tokens: [3, 'd'], tokenizer })).toHaveLength(2);
    await expect(ranks({ tokens: [] })).rejects.toThrow('the ranks of 0 tokens apart: give 1 to 7');
    await expect(ranks({ tokens: [0, 1, 2, 3, 4, 5, 6, 7] })).rejects.toThrow('8 tokens');
  });

  test('compiles without a warning and says where each began and ended', async () => {
    const chart = await rankTrajectory(trace, { tokens: ['a'], tokenizer });
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('a from 1 to 4');
  });
});
