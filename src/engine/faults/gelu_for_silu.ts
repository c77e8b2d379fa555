/** gelu-for-silu: ffn_silu is a gelu step. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const geluForSilu: Fault = {
  name: 'gelu-for-silu',
  title: 'GELU in place of silu',
  what: 'The feed-forward network is gated by GELU. Both curves are close, so nothing overflows and every norm looks healthy; the text is only worse.',
  ja: {
    title: 'siluの代わりにGELUを使う',
    what: 'FFNのゲートがGELUになる。両者の曲線は近いため、オーバーフローも起きず各層のノルムも正常に見え、生成文の質だけが下がる。',
    of: '49644591',
  },
  whoMadeIt: [
    {
      project: 'dlrover',
      link: 'https://github.com/intelligent-machine-learning/dlrover/issues/1351',
      note: 'Llama 2 was trained with the default activation of Megatron, GELU, where SwiGLU belongs.',
    },
    {
      project: 'Candle',
      link: 'https://github.com/huggingface/candle/issues/3745',
      note: 'The other way round: silu where Gemma 3 has GELU, unnoticed because both are so alike.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('ffn_silu'),
  changes: (site) => inLayers(site, ['ffn_silu'], () => ({ op: 'gelu' })),
};
