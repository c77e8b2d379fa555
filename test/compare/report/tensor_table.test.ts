/** Which rows of a long comparison a report shows. */
import { expect, test } from 'vitest';
import { outlineOf } from '../../../src/compare/report/outline.ts';
import { tensorsThatMatter } from '../../../src/compare/report/tensor_table.ts';
import { agree, bug, everyComparison } from '../comparisons.ts';

test.each(everyComparison)('%s: a table has no more rows than it may, and each is a tensor', (_, comparison) => {
  for (const rows of [1, 2, 3, 5, 12]) {
    const shown = tensorsThatMatter(comparison, rows);
    expect(shown.length).toBeLessThanOrEqual(rows);
    expect(comparison.tensors).toEqual(expect.arrayContaining(shown));
    expect(() => outlineOf(comparison, { rows, most: 3 })).not.toThrow();
  }
});

test('one row is the logits where all agree, and the first divergence where there is one', () => {
  expect(tensorsThatMatter(agree, 1).map(({ name }) => name)).toEqual(['result_output']);
  expect(tensorsThatMatter(bug, 1).map(({ name }) => name)).toEqual([bug.firstDivergence?.name]);
});
