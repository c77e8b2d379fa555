/**
 * What people call our tensors in tables and notes: `x_norm (attn)`, `silu_gate`, `hidden_1 (after attn)`, `Layer 0 output`.
 * Words that fit two tensors, such as `scores`, are none of them.
 */

/** Our name without its layer → what it is called, without case, spaces and marks. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  embd: ['embedding', 'embeddings', 'tokenembedding', 'tokenembeddings', 'inputembedding', 'embd', 'embed', 'wte'],
  attn_norm: [
    'xnormattn',
    'xnorm',
    'xnorm1',
    'attnnorm',
    'attentionnorm',
    'normattn',
    'inputlayernorm',
    'norm1',
    'ln1',
  ],
  Qcur: ['q', 'qcur', 'query', 'qproj', 'xq'],
  Kcur: ['k', 'kcur', 'key', 'kproj', 'xk'],
  Vcur: ['v', 'vcur', 'value', 'vproj', 'xv'],
  Qcur_rope: ['qrope', 'qroped', 'qafterrope', 'qcurrope', 'qrot'],
  Kcur_rope: ['krope', 'kroped', 'kafterrope', 'kcurrope', 'krot'],
  kq: ['kq', 'qk', 'qkt'],
  kq_soft_max: ['kqsoftmax', 'attnweights', 'attentionweights', 'attnprobs', 'attnpattern', 'softmax'],
  kqv_out: ['kqvout', 'kqv', 'attnheads', 'z'],
  attn_out: ['attnout', 'attnoutput', 'attentionout', 'attentionoutput', 'oproj', 'selfattn'],
  ffn_inp: ['hidden1afterattn', 'hidden1', 'h1', 'ffninp', 'residmid', 'afterattn', 'postattn'],
  ffn_norm: ['xnorm2ffn', 'xnorm2', 'xnormffn', 'ffnnorm', 'normffn', 'postattentionlayernorm', 'norm2', 'ln2'],
  ffn_gate: ['gate', 'gateproj', 'ffngate', 'w1'],
  ffn_up: ['up', 'upproj', 'ffnup', 'w3'],
  ffn_silu: ['silugate', 'silu', 'gatesilu', 'ffnsilu', 'actfn'],
  ffn_swiglu: ['gated', 'swiglu', 'ffnswiglu', 'gateup', 'gatedup', 'silugateup'],
  ffn_out: ['ffnout', 'ffnoutput', 'mlp', 'mlpout', 'mlpoutput', 'down', 'downproj', 'ffndown', 'w2'],
  l_out: ['layeroutput', 'layerout', 'lout', 'hidden2', 'residpost', 'blockoutput'],
  result_norm: ['finalnorm', 'resultnorm', 'outputnorm', 'lnf', 'modelnorm'],
  result_output: ['logits', 'resultoutput', 'lmhead', 'logitslasttoken'],
};

const OURS = new Map(Object.entries(WORDS).flatMap(([ours, words]) => words.map((word) => [word, ours] as const)));
const WITHOUT_LAYER: ReadonlySet<string> = new Set(['embd', 'result_norm', 'result_output']);
const LAYER = /\b(?:layer|block|blk|l)[\s._-]*(\d+)\b[\s._:-]*|[-.](\d+)$/i;

/** What comes out of a layer, where one was named; without one it may be the logits. */
const LAYER_OUTPUTS: ReadonlySet<string> = new Set(['', 'output', 'out']);

/** Our name for words, or null. Where a tensor of a layer does not say of which, it is of layer 0. */
export function ourNameInWords(text: string, nLayer = Number.POSITIVE_INFINITY): { readonly name: string } | null {
  const layer = LAYER.exec(text);
  const number = Number(layer?.[1] ?? layer?.[2] ?? 0);
  const rest = layer ? `${text.slice(0, layer.index)} ${text.slice(layer.index + layer[0].length)}` : text;
  const word = rest.toLowerCase().replace(/[^a-z0-9]/g, '');
  const ours = layer && LAYER_OUTPUTS.has(word) ? 'l_out' : OURS.get(word);
  if (ours === undefined || number >= nLayer) return null;
  if (WITHOUT_LAYER.has(ours)) return layer ? null : { name: ours };
  return { name: `${ours}-${number}` };
}
