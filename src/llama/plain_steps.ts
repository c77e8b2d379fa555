/** The steps of a Llama of which nothing is known but its layers: names, ops, inputs and axes. Params hold no real sizes. */
import type { Step } from '../ops/step.ts';
import { forward } from './forward.ts';

export function plainSteps(nLayer: number, { hasAttentionBias = false } = {}): Step[] {
  const sizes = { nEmbd: 4, nHead: 2, nHeadKv: 1, headDim: 2, nFf: 4, nVocab: 4, nCtx: 1 };
  const rope = { ropeBase: 1, ropeScale: 1, ropeDim: 2, hasRopeFreqs: false };
  return forward({ nLayer, ...sizes, ...rope, eps: 0, tiedEmbeddings: false, hasAttentionBias });
}
