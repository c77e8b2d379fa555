/**
 * The forward pass of a Llama, written out once. Prefill and decode are this same list; no other file knows the order.
 *
 * Names are llama.cpp's with `-<layer>`. Source: Touvron et al. 2023, arXiv:2302.13971; grouped queries: Ainslie et al.
 * 2023, arXiv:2305.13245; RoPE: Su et al. 2021, arXiv:2104.09864; SwiGLU: Shazeer 2020, arXiv:2002.05202.
 */
import type { Params } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';
import type { LlamaConfig } from './config.ts';

const EMBD = ['token', 'embd'];
const HEADS = ['token', 'head', 'dim'];
const SCORES = ['head', 'token', 'key'];
const FF = ['token', 'ff'];

/** The steps of one pass over `[token]` ids, the first of which stands at position nPast. */
export function forward(c: LlamaConfig): Step[] {
  const steps: Step[] = [];
  let layer: number | null = null;
  const step = (
    name: string,
    op: string,
    inputs: Step['inputs'],
    dims: Step['dims'],
    params: Params = {},
    writes?: string,
  ) => {
    const full = layer === null ? name : `${name}-${layer}`;
    steps.push({ name: full, layer, op, inputs, params, dims, ...(writes ? { writes } : {}) });
    return full;
  };
  const rope = { freqBase: c.ropeBase, freqScale: c.ropeScale, dimRot: c.ropeDim, pairing: 'neighbours' };
  const factors: { factors?: string } = c.hasRopeFreqs ? { factors: 'rope_freqs.weight' } : {};
  const eps = { eps: c.eps };

  let x = step('embd', 'get_rows', { tokens: 'tokens', weight: 'token_embd.weight' }, EMBD);
  for (let i = 0; i < c.nLayer; i++) {
    layer = i;
    const weight = (name: string) => `blk.${i}.${name}.weight`;
    const matmul = (
      name: string,
      x: string,
      matrix: string,
      dims: Step['dims'],
      params: Params = {},
      writes?: string,
    ) => {
      if (!c.hasAttentionBias || !matrix.startsWith('attn_')) {
        return step(name, 'mul_mat', { x, weight: weight(matrix) }, dims, params, writes);
      }
      const product = step(`${name}_nobias`, 'mul_mat', { x, weight: weight(matrix) }, dims, params);
      return step(name, 'add_bias', { x: product, weight: `blk.${i}.${matrix}.bias` }, dims, {}, writes);
    };

    // Attention: each token asks (q) and every token up to it answers (k) with what it holds (v).
    const norm = step('attn_norm', 'rms_norm', { x, weight: weight('attn_norm') }, EMBD, eps);
    const q = matmul('Qcur', norm, 'attn_q', HEADS, { heads: c.nHead });
    const k = matmul('Kcur', norm, 'attn_k', HEADS, { heads: c.nHeadKv });
    matmul('Vcur', norm, 'attn_v', HEADS, { heads: c.nHeadKv }, `cache_v-${i}`);
    const qRope = step('Qcur_rope', 'rope', { x: q, ...factors }, HEADS, rope);
    step('Kcur_rope', 'rope', { x: k, ...factors }, HEADS, rope, `cache_k-${i}`);
    const kq = step('kq', 'kq', { q: qRope, k: `cache_k-${i}` }, SCORES);
    const pattern = step('kq_soft_max', 'soft_max', { x: kq }, SCORES, { scale: 1 / Math.sqrt(c.headDim) });
    const z = step('kqv_out', 'kqv', { x: pattern, v: `cache_v-${i}` }, HEADS);
    const attnOut = matmul('attn_out', z, 'attn_output', EMBD);
    const mid = step('ffn_inp', 'add', { a: attnOut, b: x }, EMBD);

    // Feed-forward, SwiGLU: down( silu(gate(x)) · up(x) ).
    const ffnNorm = step('ffn_norm', 'rms_norm', { x: mid, weight: weight('ffn_norm') }, EMBD, eps);
    const gate = matmul('ffn_gate', ffnNorm, 'ffn_gate', FF);
    const up = matmul('ffn_up', ffnNorm, 'ffn_up', FF);
    const silu = step('ffn_silu', 'silu', { x: gate }, FF);
    const swiglu = step('ffn_swiglu', 'mul', { a: silu, b: up }, FF);
    const ffnOut = matmul('ffn_out', swiglu, 'ffn_down', EMBD);
    x = step('l_out', 'add', { a: ffnOut, b: mid }, EMBD);
  }
  layer = null;
  const last = step('result_norm', 'rms_norm', { x, weight: 'output_norm.weight' }, EMBD, eps);
  step('result_output', 'mul_mat', { x: last, weight: outputWeight(c) }, ['token', 'vocab']);
  return steps;
}

/** The matrix that turns the last norm into logits: output.weight, or the embedding where they are tied. */
export function outputWeight(c: LlamaConfig): string {
  return c.tiedEmbeddings ? 'token_embd.weight' : 'output.weight';
}
