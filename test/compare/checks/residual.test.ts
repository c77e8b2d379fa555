import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { changed, checked, failed, lostBranch, resultOf, TOKENS } from './bugs.ts';

test.each(backends)('a feed-forward that is not added is found, and no other check can, on %s', async (backend) => {
  const report = await checked(backend, ...lostBranch(1));
  expect(failed(report)).toEqual(['residual']);
  expect(resultOf(report, 'residual').worst).toMatchObject({ tensor: 'l_out-1', pass: 0 });
});

test('one element that is off by two bits is found', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const off = changed(trace, {
    'ffn_inp-2': (tensor) =>
      tensor.map((x, token, i) => (token === 6 && i === 9 ? x + 8 * 2 ** -24 * (Math.abs(x) + 1) : x)),
  });
  expect(resultOf(await checkTrace(off), 'residual').worst).toMatchObject({
    tensor: 'ffn_inp-2',
    token: 6,
    index: [6, 9],
  });
});

test('layers of which something is missing are left out and named', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const result = resultOf(await checkTrace(changed(trace, {}, /^attn_out-[02]$/)), 'residual');
  expect(result).toMatchObject({ outcome: 'passed', looked: 4 });
  expect(result.leftOut).toEqual([{ tensor: 'attn_out-i', layers: [0, 2], why: 'the trace does not hold it' }]);
  expect(result.dump).toBe('values of attn_out-i, for every token');
});
