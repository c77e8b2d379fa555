import { expect, test } from 'vitest';
import { StepError } from '../../src/errors.ts';
import { aliasesOf, NameIndex } from '../../src/llama/names.ts';

const names = [
  'embd',
  ...[0, 1].flatMap((i) => [`Qcur-${i}`, `kq_soft_max-${i}`, `ffn_inp-${i}`, `ffn_out-${i}`, `l_out-${i}`]),
  'result_norm',
  'result_output',
];
const index = new NameIndex(names);

test.each([
  ['l_out-1', 'l_out-1'],
  ['hook_embed', 'embd'],
  ['blocks.0.hook_resid_pre', 'embd'],
  ['blocks.1.hook_resid_pre', 'l_out-0'],
  ['blocks.1.hook_resid_mid', 'ffn_inp-1'],
  ['blocks.1.hook_resid_post', 'l_out-1'],
  ['blocks.0.attn.hook_pattern', 'kq_soft_max-0'],
  ['ln_final.hook_out', 'result_norm'],
  ['unembed', 'result_output'],
  ['model.embed_tokens', 'embd'],
  ['model.layers.0.self_attn.q_proj', 'Qcur-0'],
  ['model.layers.1.mlp', 'ffn_out-1'],
  ['attentions[1]', 'kq_soft_max-1'],
  ['lm_head', 'result_output'],
])('%s is %s', (alias, name) => {
  expect(index.resolve(alias)).toBe(name);
});

test("Hugging Face's hidden_states begin with the embedding and end after the final norm", () => {
  expect([0, 1, 2].map((i) => index.find(`hidden_states[${i}]`))).toEqual(['embd', 'l_out-0', 'result_norm']);
  expect(aliasesOf('l_out-1', 2)).toEqual({ hook: 'blocks.1.hook_resid_post', hf: null });
});

test('a name that only we have has no alias', () => {
  expect(aliasesOf('lens_logits-0', 2)).toEqual({ hook: null, hf: null });
});

test('a wrong name is refused with the names most like it', () => {
  expect(() => index.resolve('l_out-2', 'run to')).toThrow(StepError);
  expect(() => index.resolve('l_out-2', 'run to')).toThrow(
    /^Cannot run to "l_out-2": no step has that name; nearest are l_out-0, l_out-1/,
  );
});
