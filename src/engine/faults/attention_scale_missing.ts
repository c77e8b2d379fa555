/** attention-scale-missing: soft_max with a scale of 1. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const attentionScaleMissing: Fault = {
  name: 'attention-scale-missing',
  title: 'The scale of attention is missing',
  what: 'Scores go into the softmax without being divided by √d, so that patterns become far too sharp.',
  ja: {
    title: 'アテンションのスケーリングがない',
    what: 'スコアを√dで割らずにsoftmaxへ入れるため、アテンションの重みが極端に尖る。',
    of: '67916642',
  },
  whoMadeIt: [
    {
      project: 'MLC LLM',
      link: 'https://github.com/mlc-ai/mlc-llm/pull/3426',
      note: 'The fallback of attention was called with the default scale of 1; cosine to Hugging Face 0.862 before, 0.999989 after.',
    },
    {
      project: 'tiny-transformers',
      link: 'https://github.com/PAIR-code/tiny-transformers/issues/71',
      note: 'Raw attention was not divided by the square root of the dimension.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kq_soft_max'),
  changes: (site) => inLayers(site, ['kq_soft_max'], () => ({ params: { scale: 1 }, byHead: true })),
};
