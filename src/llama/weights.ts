/**
 * Which weights a Llama has and what shape each must be. Checked when a model is opened, before anything is computed.
 */
import { ModelError } from '../errors.ts';
import type { GgufFile } from '../gguf/reader.ts';
import type { LlamaConfig } from './config.ts';

/** Every weight the forward pass reads, with its shape, outermost first: `[rows, columns]` or `[length]`. */
export function expectedWeights(c: LlamaConfig): Map<string, readonly number[]> {
  const q = c.nHead * c.headDim;
  const kv = c.nHeadKv * c.headDim;
  const weights = new Map<string, readonly number[]>([['token_embd.weight', [c.nVocab, c.nEmbd]]]);
  for (let i = 0; i < c.nLayer; i++) {
    const blk = `blk.${i}.`;
    weights.set(`${blk}attn_norm.weight`, [c.nEmbd]);
    weights.set(`${blk}attn_q.weight`, [q, c.nEmbd]);
    weights.set(`${blk}attn_k.weight`, [kv, c.nEmbd]);
    weights.set(`${blk}attn_v.weight`, [kv, c.nEmbd]);
    weights.set(`${blk}attn_output.weight`, [c.nEmbd, q]);
    weights.set(`${blk}ffn_norm.weight`, [c.nEmbd]);
    weights.set(`${blk}ffn_gate.weight`, [c.nFf, c.nEmbd]);
    weights.set(`${blk}ffn_up.weight`, [c.nFf, c.nEmbd]);
    weights.set(`${blk}ffn_down.weight`, [c.nEmbd, c.nFf]);
    if (c.hasAttentionBias) {
      weights.set(`${blk}attn_q.bias`, [q]);
      weights.set(`${blk}attn_k.bias`, [kv]);
      weights.set(`${blk}attn_v.bias`, [kv]);
      weights.set(`${blk}attn_output.bias`, [c.nEmbd]);
    }
  }
  weights.set('output_norm.weight', [c.nEmbd]);
  if (!c.tiedEmbeddings) weights.set('output.weight', [c.nVocab, c.nEmbd]);
  if (c.hasRopeFreqs) weights.set('rope_freqs.weight', [c.ropeDim / 2]);
  return weights;
}

/** Present in some files and read by no step: the angles old converters stored. */
const UNUSED = /^blk\.\d+\.(attn_rot_embd|attn\.rotary_emb\.inv_freq)/;

/** Throws ModelError for the first weight that is missing, has another shape, or would be left out of the sum. */
export function checkWeights(gguf: GgufFile, c: LlamaConfig): void {
  const file = gguf.source.name;
  const expected = expectedWeights(c);
  for (const [tensor, wanted] of expected) {
    const found = gguf.tensors.get(tensor);
    if (!found) {
      throw new ModelError(
        `Cannot run ${file}: it has no ${tensor}; wanted shape [${wanted.join(', ')}]. Is it a whole model?`,
        {
          file,
          tensor,
        },
      );
    }
    if (found.shape.length !== wanted.length || found.shape.some((size, axis) => size !== wanted[axis])) {
      throw new ModelError(
        `Cannot run ${file}: ${tensor} has shape [${found.shape.join(', ')}]; its metadata asks for [${wanted.join(', ')}]. ` +
          'Convert the model again',
        { file, tensor },
      );
    }
  }
  for (const tensor of gguf.tensors.keys()) {
    if (expected.has(tensor) || UNUSED.test(tensor)) continue;
    throw new ModelError(
      `Cannot run ${file}: it holds ${tensor}, which the forward pass of a Llama does not read; ` +
        'running without it would give other numbers than llama.cpp',
      { file, tensor },
    );
  }
}
