import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { RowTrace } from '../../../src/trace/trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, resultOf, TOKENS } from './bugs.ts';

const broken = edit('kqv_out-1', (tensor) =>
  tensor.map((x, token, head, dim) => (token === 3 && head === 2 && dim === 1 ? Number.NaN : x)),
);

test.each(backends)('a NaN is found where it first stands, on %s', async (backend) => {
  const report = await checked(backend, broken);
  const { outcome, worst } = resultOf(report, 'finite');
  expect(outcome).toBe('failed');
  expect(worst).toMatchObject({
    tensor: 'kqv_out-1',
    layer: 1,
    pass: 0,
    token: 3,
    head: 2,
    index: [3, 2, 1],
    found: 1,
  });
  // What it poisons shows too; what is still told of each other is not suspected.
  expect(failed(report)).toEqual(['finite', 'soft-max-rows', 'first-token', 'context-blind', 'head-order']);
});

test('scores that a mask has set to -Infinity are no suspicion, others are', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const masked = (cells: number) => {
    const entries = trace.entries.map((row) =>
      row.name === 'kq-1' ? { ...row, statistics: { ...row.statistics, infCount: cells } } : row,
    );
    return new RowTrace({
      manifest: trace.manifest,
      entries,
      values: async () => new Float32Array(),
      source: 'a test',
    });
  };
  const cells = (4 * (TOKENS.length * (TOKENS.length - 1))) / 2;
  const [right, wrong] = [await checkTrace(statistics(masked(cells))), await checkTrace(statistics(masked(cells + 1)))];
  expect(resultOf(right, 'finite').outcome).toBe('passed');
  expect(resultOf(wrong, 'finite').worst).toMatchObject({ tensor: 'kq-1', found: cells + 1 });
});

/** A trace without values. */
function statistics({ manifest, entries }: RowTrace): RowTrace {
  const bare = entries.map((row) => ({ ...row, hasValues: false }));
  return new RowTrace({ manifest, entries: bare, values: async () => new Float32Array(), source: 'a test' });
}
