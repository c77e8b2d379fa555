/** norm-weight-plus-one: norms read weights that are 1 larger. */
import { type Fault, firstOf, inNorms } from './fault.ts';
import { layer } from './params.ts';

export const normWeightPlusOne: Fault = {
  name: 'norm-weight-plus-one',
  title: '1 is added to the weights of the norms',
  what: 'Gemma stores the weights of its norms less 1 and adds it again. A Llama does not, and neither does a GGUF file of Gemma, whose converter has added it already.',
  ja: {
    title: 'RMSNormの重みに1を足す',
    what: 'Gemmaは正規化の重みを1を引いた値で保存し、計算時に1を足す。Llamaはそうではなく、GemmaのGGUFでも変換時に加算済みである。',
    of: '309fa58f',
  },
  whoMadeIt: [
    {
      project: 'mold',
      link: 'https://github.com/utensils/mold/pull/1078',
      note: 'GGUF weights that carry the 1 already got another: about 200 norms, embeddings that hardly depend on the prompt.',
    },
    { project: 'vLLM', link: 'https://github.com/vllm-project/vllm/pull/31464', note: 'The same for Gemma 2.' },
    {
      project: 'Liger Kernel',
      link: 'https://github.com/linkedin/Liger-Kernel/issues/74',
      note: 'The other way round: the norm of a Llama used for Gemma.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('attn_norm'),
  changes: (site) => inNorms(site, { weight: { values: (weight) => weight.map((value) => value + 1) } }),
};
