import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { changed, checked, failed, noMask, resultOf, scaled, TOKENS } from './bugs.ts';

test.each(backends)('a missing mask is found by the first cell that should be 0, on %s', async (backend) => {
  const report = await checked(backend, noMask('kq_soft_max-1'));
  expect(failed(report)).toEqual(['scaled-scores', 'soft-max-rows', 'first-token', 'prefill-decode', 'causality']);
  expect(resultOf(report, 'soft-max-rows').worst).toMatchObject({
    tensor: 'kq_soft_max-1',
    token: 0,
    head: 0,
    index: [0, 0, 1],
    wanted: 0,
  });
});

test('a row that sums to 0.9999 is found, with its head and token', async () => {
  const report = await checked(
    'reference',
    scaled('kq_soft_max-2', 0.9999, (head, token) => head === 3 && token === 4),
  );
  const { worst, says } = resultOf(report, 'soft-max-rows');
  expect(worst).toMatchObject({ tensor: 'kq_soft_max-2', head: 3, token: 4, what: 'sum of the row', wanted: 1 });
  expect(worst?.found).toBeCloseTo(0.9999, 6);
  expect(says).toContain('sum of the row 0.9999');
});

test('a negative probability is found where the sum is 1', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const moved = (factor: number) => (x: number, head: number, token: number, key: number) =>
    head === 0 && token === 1 ? (key === 0 ? 1.5 : key === 1 ? -0.5 : x) : x * factor;
  const report = await checkTrace(changed(trace, { 'kq_soft_max-0': (tensor) => tensor.map(moved(1)) }));
  expect(resultOf(report, 'soft-max-rows').worst).toMatchObject({ found: -0.5, index: [0, 1, 1], token: 1 });
});

test('rows stored as halves are allowed the rounding of halves, and no more', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const halves = { ...trace, manifest: {}, entries: trace.entries.map((row) => ({ ...row, srcDtype: 'f16' })) };
  const off = (factor: number) =>
    changed(
      { ...halves, names: trace.names, end: null, select: () => [], tensor: trace.tensor.bind(trace) },
      { 'kq_soft_max-0': (tensor) => tensor.scale(factor) },
    );
  expect(resultOf(await checkTrace(off(1.001)), 'soft-max-rows').outcome).toBe('passed');
  expect(resultOf(await checkTrace(off(1.02)), 'soft-max-rows').outcome).toBe('failed');
});
