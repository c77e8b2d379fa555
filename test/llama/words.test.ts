import { expect, test } from 'vitest';
import { forward } from '../../src/llama/forward.ts';
import { ourNameInWords } from '../../src/llama/words.ts';
import { openRandom } from '../engine/models.ts';

test.for<[words: string, ours: string | null]>([
  ['Embedding', 'embd'],
  ['x_norm (attn)', 'attn_norm-0'],
  ['Q', 'Qcur-0'],
  ['K after RoPE', 'Kcur_rope-0'],
  ['Q (after rope)', 'Qcur_rope-0'],
  ['layer 3 / V', 'Vcur-3'],
  ['hidden_1 (after attn)', 'ffn_inp-0'],
  ['x_norm2 (ffn)', 'ffn_norm-0'],
  ['blk.12.ffn_gate', 'ffn_gate-12'],
  ['silu_gate', 'ffn_silu-0'],
  ['L2: gated', 'ffn_swiglu-2'],
  ['ffn_out-7', 'ffn_out-7'],
  ['Layer 0 output', 'l_out-0'],
  ['Layer 4', 'l_out-4'],
  ['output', null],
  ['Final norm', 'result_norm'],
  ['Logits (last token)', 'result_output'],
  ['attention scores', null],
  ['Top prediction', null],
  ['layer 40 output', null],
])('"%s" is %s', ([words, ours]) => {
  expect(ourNameInWords(words, 22)?.name ?? null).toBe(ours);
});

test('every name of a model is itself', async () => {
  const { config } = await openRandom('reference');
  for (const { name } of forward(config)) expect(ourNameInWords(name)?.name).toBe(name);
});
