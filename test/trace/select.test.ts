import { describe, expect, it } from 'vitest';
import { selects } from '../../src/trace/select.ts';

const names = [
  { name: 'embd', hook: 'hook_embed', hf: 'model.embed_tokens' },
  { name: 'Qcur-0', hook: 'blocks.0.attn.hook_q', hf: 'model.layers.0.self_attn.q_proj' },
  { name: 'Kcur-0', hook: 'blocks.0.attn.hook_k', hf: null },
  { name: 'kq-0', hook: null, hf: null },
  { name: 'kq_soft_max-0', hook: 'blocks.0.attn.hook_pattern', hf: 'attentions[0]' },
  { name: 'l_out-0', hook: 'blocks.0.hook_resid_post', hf: 'hidden_states[1]' },
  { name: 'l_out-12', hook: 'blocks.12.hook_resid_post', hf: 'hidden_states[13]' },
];

function picked(globs: string | string[]): string {
  return names
    .filter(selects(globs))
    .map(({ name }) => name)
    .join(' ');
}

describe('a selection', () => {
  it.each([
    ['all', 'embd Qcur-0 Kcur-0 kq-0 kq_soft_max-0 l_out-0 l_out-12'],
    ['*', 'embd Qcur-0 Kcur-0 kq-0 kq_soft_max-0 l_out-0 l_out-12'],
    ['none', ''],
    ['l_out-*', 'l_out-0 l_out-12'],
    ['l_out-0', 'l_out-0'],
    ['l_out-1?', 'l_out-12'],
    ['blocks.*.hook_resid_post', 'l_out-0 l_out-12'],
    ['model.layers.0.*', 'Qcur-0'],
    ['{Q,K}cur-0', 'Qcur-0 Kcur-0'],
    ['[QK]cur-*', 'Qcur-0 Kcur-0'],
    ['embd,l_out-*', 'embd l_out-0 l_out-12'],
    ['!kq*', 'embd Qcur-0 Kcur-0 l_out-0 l_out-12'],
    ['*-0,!kq*', 'Qcur-0 Kcur-0 l_out-0'],
    ['hidden_states[[]1]', 'l_out-0'],
    ['hidden_states[1]', 'l_out-0'],
    ['nothing', ''],
  ])('%s picks %s', (globs, expected) => {
    expect(picked(globs)).toBe(expected);
  });

  it('of several globs picks what any of them does, whatever their order', () => {
    expect(picked(['!kq*', 'kq*', 'embd'])).toBe('embd');
    expect(picked(['none', 'embd'])).toBe('embd');
  });

  it('does not take an empty glob for everything', () => {
    expect(() => selects('')).toThrow('Cannot select tensors: an empty glob was given');
    expect(() => selects(['embd', ' '])).toThrow('Cannot select tensors');
  });
});
