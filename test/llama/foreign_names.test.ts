import { beforeAll, expect, test } from 'vitest';
import type { Model } from '../../src/engine/model.ts';
import { foreignNames } from '../../src/llama/foreign_names.ts';
import { dumpedModel } from '../../src/node/dump.ts';
import { openRandom } from '../engine/models.ts';

let model: Model;
beforeAll(async () => {
  model = await openRandom('reference');
});

const N = 5;

/** What a tensor of this name and shape is, or why it is none of ours. */
function placed(name: string, shape: readonly number[]) {
  const size = shape.reduce((a, b) => a * b, 1);
  return foreignNames({ model: dumpedModel(model), passes: [N] })({ name, dtype: 'f32', shape, size, pass: 0 });
}

test.for<[theirs: string, shape: number[], ours: string]>([
  ['model.layers.1', [1, N, 64], 'l_out-1'],
  ['layers.1.mlp.down_proj', [N, 64], 'ffn_out-1'],
  ['model.layers.1.mlp', [1, N, 64], 'ffn_out-1'],
  ['model.layers.0.self_attn.o_proj.output', [1, N, 64], 'attn_out-0'],
  ['model.layers.0.self_attn.q_proj_out', [1, N, 64], 'Qcur-0'],
  ['model.layers.2.self_attn.attn_weights', [1, 4, N, N], 'kq_soft_max-2'],
  ['hidden_states.3', [1, N, 64], 'result_norm'],
  ['hidden_states[2]', [N, 64], 'l_out-1'],
  ['hidden_states_0', [1, N, 64], 'embd'],
  ['inputs_embeds', [1, N, 64], 'embd'],
  ['model.norm', [1, N, 64], 'result_norm'],
  ['logits', [1, N, 300], 'result_output'],
  ['blocks.2.hook_resid_post', [1, N, 64], 'l_out-2'],
  ['blocks.0.attn.hook_rot_k', [1, N, 2, 16], 'Kcur_rope-0'],
  ['Vcur-1', [N, 32], 'Vcur-1'],
])('%s is ours', ([theirs, shape, ours]) => {
  expect(placed(theirs, shape)).toMatchObject({ name: ours });
});

test.for<[theirs: string, isHalves: boolean]>([
  ['blocks.0.attn.hook_q', true],
  ['model.layers.0.self_attn.q_proj', true],
  ['Qcur-0', false],
])('%s is reordered: %s', ([theirs, isHalves]) => {
  const place = placed(theirs, [N, 4, 16]);
  expect(typeof place !== 'string' && place.view?.lastAxis !== undefined).toBe(isHalves);
});

test('heads that were repeated for their queries are refused by their shape', () => {
  expect(placed('model.layers.0.self_attn.k_proj', [1, N, 64])).toBe(
    'its shape is [1,5,64]; in this model and for these tokens it is [5,2,16]',
  );
});

test('without a model, what Hugging Face pairs otherwise is not guessed', () => {
  const map = foreignNames({ passes: null, names: { q: 'Qcur-0' } });
  const tensor = { dtype: 'f32', shape: [5, 64], size: 320, pass: 0 };
  expect(map({ ...tensor, name: 'q' })).toMatchObject({ name: 'Qcur-0', view: { shape: [5, 64] } });
  expect(map({ ...tensor, name: 'model.layers.0.self_attn.q_proj' })).toMatch(/^its name is not known/);
});
