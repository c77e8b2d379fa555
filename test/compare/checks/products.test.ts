import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { fault } from '../../../src/engine/faults/index.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { changed, checked, failed, resultOf, TOKENS } from './bugs.ts';

test.each(
  backends.flatMap((backend): [string, string, string, typeof backend][] => [
    ['an embedding that is a row off', 'embedding-off-by-one', 'embd', backend],
    ['a K whose rows were permuted for another RoPE', 'k-rows-permuted', 'Kcur-0', backend],
    ['a last matrix that is taken the other way', 'lm-head-transposed', 'result_output', backend],
    ['the embedding in place of the last matrix', 'tied-by-mistake', 'result_output', backend],
  ]),
)('%s is found, and no other check can', async (_, name, tensor, backend) => {
  const report = await checked(backend, fault(name));
  expect(failed(report)).toEqual(['products']);
  expect(resultOf(report, 'products').worst).toMatchObject({ tensor, token: 4 });
});

test('one row of a matrix that is off by a thousandth is found, at its place', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const off = changed(trace, {
    'ffn_up-1': (tensor) => tensor.map((x, _, column) => (column === 9 ? 1.001 * x : x)),
  });
  const { worst } = resultOf(await checkTrace(off, { model }), 'products');
  expect(worst).toMatchObject({ tensor: 'ffn_up-1', layer: 1, token: TOKENS.length - 1, index: [0, 9] });
});

test('the first pass and the last are looked at, each at its last token', async () => {
  const model = await openRandom('reference');
  const { trace } = await (await (await model.start(TOKENS.slice(0, 5)).toEnd()).append(TOKENS.slice(5))).toEnd();
  const whole = await checkTrace(trace, { model });
  const perPass = 1 + 7 * model.config.nLayer + 1;
  expect(resultOf(whole, 'products')).toMatchObject({ outcome: 'passed', looked: 2 * perPass, leftOut: [] });
});

test('without the model it says what it needs', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  expect(resultOf(await checkTrace(trace), 'products')).toMatchObject({
    outcome: 'could not',
    leftOut: [{ tensor: 'Qcur-i', layers: [], why: 'the model whose weights it needs was not given' }],
  });
});
