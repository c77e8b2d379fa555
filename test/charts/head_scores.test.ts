import { describe, expect, test } from 'vitest';
import { headScores } from '../../src/charts/index.ts';
import { patternGiven, toFirst, toPrevious } from './patterns.ts';
import { captionOf, type Row, rowsIn, traceWith, warningsOf } from './specs.ts';

/** <s> a b c a b c: each token of the second round looks at the one after its own first occurrence. */
const TOKENS = [1, 5, 6, 7, 5, 6, 7];
const toNext = (query: number) => (query > 3 ? { [query - 2]: 0.75, 0: 0.25 } : { 0: 1 });
const repeated = traceWith([patternGiven(0, 7, [toPrevious, toFirst, toNext])], { tokens: TOKENS });

/** Scores by panel: the rows of three heads each, panels in their order. */
const panels = (rows: readonly Row[]) => [0, 1, 2].map((i) => rows.slice(3 * i, 3 * i + 3).map(({ value }) => value));

describe('headScores', () => {
  test('gives 1 to the head that has a habit, and to another what it shares of it', async () => {
    const [previous, first, induction] = panels(rowsIn(await headScores(repeated)));
    expect(previous).toEqual([1, 0, 0]);
    expect(first).toEqual([0, 1, 0.55]); // of the third to the seventh token: (1 + 1 + 3 · 0.25) / 5
    expect(induction).toEqual([0, 0, 0.75]);
  });

  test('scores induction over repeated tokens only, and says how many', async () => {
    const chart = await headScores(repeated);
    expect(captionOf(chart)).toContain('tokens that occur again: 3');
    expect(chart.description).toContain('induction 0.2 (0.75)');
  });

  test('leaves induction out where nothing repeats, or a token only follows itself', async () => {
    for (const tokens of [
      [1, 5, 6, 7],
      [1, 5, 5, 5],
    ]) {
      const chart = await headScores(traceWith([patternGiven(0, 4, [toPrevious])], { tokens }));
      expect(rowsIn(chart)).toHaveLength(2);
      expect(captionOf(chart)).toContain('No induction');
    }
  });

  test('refuses a text too short to tell the first token from the previous one', async () => {
    await expect(headScores(traceWith([patternGiven(0, 2, [toFirst])]))).rejects.toThrow('at least three');
  });

  test('compiles without a warning', async () => expect(warningsOf(await headScores(repeated))).toEqual([]));
});
