import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { fault } from '../../../src/engine/faults/index.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, resultOf, scaled, TOKENS } from './bugs.ts';

test.each(backends)('an attention that gives nothing leaves the logits of a token the same, on %s', async (backend) => {
  const report = await checked(backend, scaled('kqv_out-*', 0));
  expect(failed(report)).toEqual(['first-token', 'context-blind']);
  expect(resultOf(report, 'context-blind').worst).toMatchObject({ tensor: 'result_output', token: 3, found: 0 });
});

test.each([1, 2, 4])('a cache position that is clamped at %i gives a token its own logits again', async (at) => {
  const report = await checkModel((await openRandom('reference')).with(fault('kv-pos-clamp', { at })));
  expect(failed(report)).toContain('context-blind');
  const { worst } = resultOf(report, 'context-blind');
  expect(worst?.tensor).toBe('result_output');
  // Which of the tokens that come again parts least is a matter of rounding; all of them lie behind the clamp.
  expect(worst?.token).toBeGreaterThan(at);
});

test('a text of one token over and over is no suspicion: attention sees the same everywhere', async () => {
  const model = await openRandom('reference');
  const report = await checkModel(model, { tokens: [40, 40, 40, 40] });
  const { outcome, says } = resultOf(report, 'context-blind');
  expect(failed(report)).toEqual([]);
  expect({ outcome, says }).toEqual({
    outcome: 'could not',
    says: 'result_output: no token comes twice in the text, with another before or between',
  });
});

test('tokens that were drawn count: equal logits in two decode steps are found', async () => {
  const model = await openRandom('reference');
  const clamped = model.with(
    scaled('attn_out-*', 0),
    scaled('result_output', 0, (_, id) => id !== 7),
  );
  const { trace } = await clamped.start(TOKENS).generate(4);
  expect(resultOf(await checkTrace(trace), 'context-blind').outcome).toBe('failed');
});
