import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, otherParams, resultOf, scaled, TOKENS } from './bugs.ts';

const lostMean = edit('attn_norm-1', (tensor) => tensor.map((x, token) => x - (tensor.slice(token).mean() as number)));

test.each(
  backends.flatMap((backend): [string, Transform, string, typeof backend][] => [
    ['weights that are 1e-4 too large', scaled('ffn_norm-1', 1.0001), 'ffn_norm-1', backend],
    ['a mean that is subtracted, as LayerNorm does', lostMean, 'attn_norm-1', backend],
    ['eps 1e-4 for 1e-5', otherParams(/^attn_norm-0/, { eps: 1e-4 }), 'attn_norm-0', backend],
    ['a last norm that is done twice', scaled('result_norm', 1.2), 'result_norm', backend],
  ]),
)('%s', async (_, bug, tensor, backend) => {
  const report = await checked(backend, bug);
  expect(failed(report)).toEqual(['norms']);
  expect(resultOf(report, 'norms').worst?.tensor).toBe(tensor);
});

test('a norm without its weight has another RMS', async () => {
  const model = await openRandom('reference');
  const { data } = await model.weight('blk.1.attn_norm.weight');
  const report = await checked(
    'reference',
    edit('attn_norm-1', (tensor) => tensor.map((x, _, i) => x / (data[i] as number))),
  );
  expect(resultOf(report, 'norms')).toMatchObject({ outcome: 'failed', worst: { tensor: 'attn_norm-1' } });
});

test('without the model it cannot, and asks for it', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const { outcome, says, dump } = resultOf(await checkTrace(trace), 'norms');
  expect(outcome).toBe('could not');
  expect(says).toContain('the model whose norm weights it needs was not given');
  expect(dump).toContain('and give the model, for its weights');
});
