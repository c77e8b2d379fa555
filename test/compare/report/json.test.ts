import { describe, expect, test } from 'vitest';
import { reportJson } from '../../../src/compare/report/json.ts';
import { bug, comparisonWith, everyComparison, withNaN } from '../comparisons.ts';

const written = (comparison: typeof bug) => JSON.parse(JSON.stringify(reportJson(comparison)));

describe('the report for programs', () => {
  test.each(everyComparison)('%s: loses nothing on its way through JSON', (_, comparison) => {
    expect(written(comparison)).toEqual(reportJson(comparison));
    expect(Object.keys(written(comparison)).sort()).toEqual([...Object.keys(comparison), 'suspects'].sort());
    expect(written(comparison).tensors).toHaveLength(comparison.tensors.length);
  });

  test('begins with the verdict, and has the first divergence by name, op, layer, token, head and index', () => {
    expect(Object.keys(written(bug)).slice(0, 5)).toEqual([
      'verdict',
      'summary',
      'firstDivergence',
      'cause',
      'refused',
    ]);
    expect(written(bug).firstDivergence).toMatchObject({
      ...{ name: 'kq-3', op: 'kq', layer: 3, token: 5, head: 2, index: [2, 5, 3] },
      ...{ ours: Math.fround(0.8123411), reference: Math.fround(2.1310012) },
    });
    expect(written(comparisonWith())).toMatchObject({ firstDivergence: null, cause: null, refused: [] });
  });

  test('NaN, Infinity and -0 are strings', () => {
    const { firstDivergence, tensors } = written(withNaN);
    expect(firstDivergence.ours).toBe('NaN');
    const faulty = tensors.find(({ name }: { name: string }) => name === 'kq-3');
    expect(faulty.worst).toMatchObject({ ours: 'NaN', excess: 'Infinity' });
    const zero = comparisonWith({
      firstDivergence: bug.firstDivergence && { ...bug.firstDivergence, ours: -0, reference: 0 },
    });
    expect(written(zero).firstDivergence).toMatchObject({ ours: '-0', reference: 0 });
  });
});
