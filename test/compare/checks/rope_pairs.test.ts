import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, otherParams, resultOf, scaled } from './bugs.ts';

test.each(backends)('pairs of halves are named as such, on %s', async (backend) => {
  const report = await checked(backend, otherParams(/_rope-[12]/, { pairing: 'halves' }));
  expect(failed(report)).toEqual(['rope-pairs', 'rope-angles']);
  const { worst, says } = resultOf(report, 'rope-pairs');
  expect(worst?.tensor).toBe('Qcur_rope-1');
  expect(says).toContain('it pairs halves');
});

test('a rotation that stretches is found in its head, and not called halves', async () => {
  const report = await checked(
    'reference',
    scaled('Kcur_rope-2', 1.01, (token, head) => head === 1 && token === 3),
  );
  expect(resultOf(report, 'rope-pairs').worst).toMatchObject({ tensor: 'Kcur_rope-2', token: 3, head: 1 });
  expect(resultOf(report, 'rope-pairs').says).not.toContain('halves');
});

test('dimensions beyond the turned ones must stay', async () => {
  const report = await checked('reference', otherParams(/_rope-0/, { dimRot: 8 }));
  expect(resultOf(report, 'rope-angles').outcome).toBe('failed');
  // Fewer dimensions turned keep every length.
  expect(resultOf(report, 'rope-pairs').outcome).toBe('passed');
});

test('one token at position 0 tells nothing', async () => {
  const { trace } = await (await openRandom('reference')).start([5]).toEnd();
  const { outcome, says } = resultOf(await checkTrace(trace), 'rope-pairs');
  expect({ outcome, says }).toEqual({
    outcome: 'could not',
    says: 'Qcur_rope-i: all its tokens stand at position 0, where RoPE turns nothing',
  });
});
