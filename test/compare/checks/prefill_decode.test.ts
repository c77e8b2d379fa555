import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, inDecode, resultOf, TOKENS } from './bugs.ts';

test.each(backends)(
  'an attention that is lost in decode steps is found, and no other check can, on %s',
  async (backend) => {
    const report = await checked(
      backend,
      inDecode('kqv_out-1', (tensor) => tensor.scale(0)),
    );
    expect(failed(report)).toEqual(['prefill-decode']);
    const { worst } = resultOf(report, 'prefill-decode');
    expect(worst?.tensor).toBe('kqv_out-1');
    expect([5, 6, 7]).toContain(worst?.token);
  },
);

test('two dumps of the same tokens in other passes are compared, and a difference is found', async () => {
  const model = await openRandom('reference');
  const whole = await model.start(TOKENS).toEnd();
  const cut = async (from: typeof model) =>
    (await (await from.start(TOKENS.slice(0, 6)).toEnd()).append(TOKENS.slice(6))).toEnd();
  const same = await checkTrace([whole.trace, (await cut(model)).trace], { model });
  expect(resultOf(same, 'prefill-decode')).toMatchObject({
    outcome: 'passed',
    looked: model.steps.length,
    leftOut: [],
  });
  const other = await checkTrace([
    whole.trace,
    (await cut(model.with(inDecode('Kcur-2', (tensor) => tensor.scale(1.01))))).trace,
  ]);
  expect(resultOf(other, 'prefill-decode').worst).toMatchObject({ tensor: 'Kcur-2', token: 6 });
});

test('one dump cannot show it, and is told which other would', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const { outcome, says, dump } = resultOf(await checkTrace(trace), 'prefill-decode');
  expect({ outcome, says }).toEqual({ outcome: 'could not', says: 'it compares two runs, and one was given' });
  expect(dump).toContain('the same tokens in several passes');
});
