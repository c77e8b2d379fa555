/** layer-norm-for-rms-norm: norms are layer_norm steps. */
import { type Fault, firstOf, inNorms } from './fault.ts';
import { layer } from './params.ts';

export const layerNormForRmsNorm: Fault = {
  name: 'layer-norm-for-rms-norm',
  title: 'LayerNorm in place of RMSNorm',
  what: 'The mean is taken away before the norm. Where activations have hardly any mean, as in most models, it shows little.',
  ja: {
    title: 'RMSNormの代わりにLayerNormを使う',
    what: '正規化の前に平均を引く。多くのモデルでは活性の平均がほぼ0なので、差は小さい。',
    of: 'dde49c14',
  },
  whoMadeIt: [
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/issues/173',
      note: 'ggml_norm subtracted the mean in its first weeks; the report says that it may not be obvious, for the mean is near 0.',
    },
    {
      project: 'rustformers/llm',
      link: 'https://github.com/rustformers/llm/issues/80',
      note: 'The same, taken over from there.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('attn_norm'),
  changes: (site) => inNorms(site, { op: 'layer_norm' }),
};
