/** What a run tells of how its steps are computed, and of its weights by the row. */
import { expect, test } from 'vitest';
import type { Run } from '../../src/engine/run.ts';
import { have } from '../skip.ts';
import { noAdapter, openRandom } from './models.ts';

const TOKENS = [1, 5, 9];
const gpu = noAdapter ? undefined : true;

test('on the reference a step is computed alone and by no kernel', async () => {
  const run = (await openRandom('reference')).start(TOKENS);
  expect(await run.kernels('ffn_swiglu-0')).toEqual({ together: ['ffn_swiglu-0'], kernels: [] });
});

test('where nobody looks, the fused steps are told together with their one kernel; where somebody does, apart', async (context) => {
  have(context, gpu, `${noAdapter}`);
  const model = await openRandom('webgpu');
  const unseen = await model.start(TOKENS, { select: 'result_output', statistics: false }).toEnd();
  const { together, kernels } = await unseen.kernels('ffn_swiglu-1');
  expect(together).toEqual(['ffn_silu-1', 'ffn_swiglu-1']);
  expect(kernels.map(({ name }) => name)).toEqual(['fused/silu_mul']);
  expect(await unseen.kernels('ffn_silu-1')).toEqual({ together, kernels });
  const seen = await model.start(TOKENS).toEnd();
  expect((await seen.kernels('ffn_swiglu-1')).together).toEqual(['ffn_swiglu-1']);
});

test('the kernels of a prefill and of a decode are those that each runs', async (context) => {
  have(context, gpu, `${noAdapter}`);
  const run = (await openRandom('webgpu', { type: 'Q8_0' })).start(TOKENS);
  await (await run.generate(1)).toEnd();
  const told = async (pass: number) => {
    const { kernels } = await run.kernels('ffn_up-0', { pass });
    return kernels.map(({ name, workgroups }) => `${name} ${workgroups}`);
  };
  const [prefill, decode, now] = [await told(0), await told(1), await namesNow(run)];
  expect(prefill).not.toEqual(decode);
  expect(now).toEqual(decode);
});

async function namesNow(run: Run): Promise<string[]> {
  const { kernels } = await run.kernels('blocks.0.mlp.hook_pre_linear');
  return kernels.map(({ name, workgroups }) => `${name} ${workgroups}`);
}

test('rows of a weight are those of the whole, and rows that it has not are an error', async () => {
  const model = await openRandom('reference', { type: 'Q8_0' });
  const whole = await model.weight('blk.1.ffn_up.weight');
  const part = await model.weight('blk.1.ffn_up.weight', { rows: [2, 5] });
  expect([part.shape, part.dims, part.data]).toEqual([[3, 64], ['row', 'column'], whole.slice([2, 5]).data]);
  expect((await model.weight('output_norm.weight', { rows: [0, 1] })).shape).toEqual([64]);
  await expect(model.weight('blk.1.ffn_up.weight', { rows: [90, 97] })).rejects.toThrow(
    'Cannot read rows 90 to 97 of weight blk.1.ffn_up.weight: it has rows 0 to 96',
  );
});
