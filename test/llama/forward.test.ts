import { expect, test } from 'vitest';
import type { LlamaConfig } from '../../src/llama/config.ts';
import { forward } from '../../src/llama/forward.ts';

const config: LlamaConfig = {
  nLayer: 2,
  nEmbd: 8,
  nHead: 4,
  nHeadKv: 2,
  headDim: 2,
  nFf: 12,
  nVocab: 16,
  nCtx: 32,
  eps: 1e-5,
  ropeBase: 10_000,
  ropeScale: 1,
  ropeDim: 2,
  hasRopeFreqs: false,
  tiedEmbeddings: false,
  hasAttentionBias: false,
};

const LAYER = [
  'attn_norm',
  'Qcur',
  'Kcur',
  'Vcur',
  'Qcur_rope',
  'Kcur_rope',
  'kq',
  'kq_soft_max',
  'kqv_out',
  'attn_out',
  'ffn_inp',
  'ffn_norm',
  'ffn_gate',
  'ffn_up',
  'ffn_silu',
  'ffn_swiglu',
  'ffn_out',
  'l_out',
];

test("a pass is these steps, in llama.cpp's names and order", () => {
  const layer = (i: number) => LAYER.map((name) => `${name}-${i}`);
  expect(forward(config).map(({ name }) => name)).toEqual([
    'embd',
    ...layer(0),
    ...layer(1),
    'result_norm',
    'result_output',
  ]);
});

test('a step reads only earlier steps, weights, tokens and cache slots that a step before it writes', () => {
  const known = new Set(['tokens']);
  for (const step of forward(config)) {
    for (const name of Object.values(step.inputs)) {
      const isWeight = /\.(weight|bias)$/.test(name);
      expect(isWeight || known.has(name), `${step.name} reads ${name}`).toBe(true);
    }
    known.add(step.name);
    if (step.writes) known.add(step.writes);
  }
});

test('tied embeddings give the logits through token_embd.weight', () => {
  const output = (tiedEmbeddings: boolean) => forward({ ...config, tiedEmbeddings }).at(-1)?.inputs.weight;
  expect(output(false)).toBe('output.weight');
  expect(output(true)).toBe('token_embd.weight');
});

test('rope_freqs reach both rotations and nothing else', () => {
  const users = forward({ ...config, hasRopeFreqs: true }).filter(({ inputs }) => 'factors' in inputs);
  expect(users.map(({ name }) => name)).toEqual(['Qcur_rope-0', 'Kcur_rope-0', 'Qcur_rope-1', 'Kcur_rope-1']);
});

test('attention biases are added in steps of their own, and the sum keeps the name', () => {
  const steps = forward({ ...config, hasAttentionBias: true });
  const sum = steps.find(({ name }) => name === 'Vcur-1');
  expect(sum).toMatchObject({
    op: 'add_bias',
    inputs: { x: 'Vcur_nobias-1', weight: 'blk.1.attn_v.bias' },
    writes: 'cache_v-1',
  });
  expect(steps.find(({ name }) => name === 'Qcur_rope-1')?.inputs.x).toBe('Qcur-1');
});

test('the scale of the scores is one over the root of the head, also where heads are wider than embd / heads', () => {
  const scale = forward({ ...config, headDim: 16, ropeDim: 16 }).find(({ op }) => op === 'soft_max')?.params.scale;
  expect(scale).toBe(0.25);
});
