import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, resultOf, TOKENS } from './bugs.ts';

/** A sum over tokens that one row takes from the next: what reading a matrix by columns does. */
const leak = edit('ffn_up-1', (tensor) =>
  tensor.map((x, token, i) => (token + 1 < (tensor.shape[0] as number) ? x + 0.01 * tensor.at(token + 1, i) : x)),
);

test.each(backends)(
  'a row that takes from the next one is found at the last row before the change, on %s',
  async (backend) => {
    const report = await checked(backend, leak);
    expect(failed(report)).toEqual(['prefill-decode', 'causality']);
    expect(resultOf(report, 'causality').worst).toMatchObject({ tensor: 'ffn_up-1', token: 3 });
  },
);

test('two dumps with other tokens at the end are compared as far as they are the same', async () => {
  const model = await openRandom('reference');
  const other = [...TOKENS.slice(0, 5), 9, 8, 7];
  const run = async (from: typeof model, tokens: readonly number[]) => (await from.start(tokens).toEnd()).trace;
  const same = await checkTrace([await run(model, TOKENS), await run(model, other)]);
  expect(resultOf(same, 'causality')).toMatchObject({ outcome: 'passed', looked: model.steps.length });
  const leaky = model.with(leak);
  expect(
    resultOf(await checkTrace([await run(leaky, TOKENS), await run(leaky, other)]), 'causality').worst?.token,
  ).toBe(4);
});
