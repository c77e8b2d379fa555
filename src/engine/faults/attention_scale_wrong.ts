/** attention-scale-wrong: soft_max with the scale of another size. */
import { cannotPut, type Fault, firstOf, inLayers } from './fault.ts';
import { choice, head, layer } from './params.ts';

export const attentionScaleWrong: Fault = {
  name: 'attention-scale-wrong',
  title: 'The scale of attention has the wrong size under its root',
  what: 'Scores are divided by the root of the width of the model, or of the number of heads, in place of the width of a head.',
  ja: {
    title: 'アテンションのスケーリングに誤った値を使う',
    what: 'スコアを、ヘッドの次元数ではなく埋め込み全体の次元数(またはヘッド数)の平方根で割る。',
    of: '4bcd866d',
  },
  whoMadeIt: [
    {
      project: 'train-llm-from-scratch',
      link: 'https://github.com/FareedKhan-dev/train-llm-from-scratch/pull/3',
      note: '1/√(width of the model).',
    },
    {
      project: 'tt-metal',
      link: 'https://github.com/tenstorrent/tt-metal/pull/56789',
      note: '1/√(number of heads), beside a comment that says head_dim.',
    },
    { project: 'ViT-CIFAR', link: 'https://github.com/omihub777/ViT-CIFAR/pull/11', note: '1/√(width of the model).' },
  ],
  params: { layer, head, of: choice('what stands under the root', ['embd', 'heads']) },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kq_soft_max'),
  changes(site) {
    const { nEmbd, nHead, headDim } = site.config;
    const size = site.params.of === 'embd' ? nEmbd : nHead;
    if (size === headDim)
      throw cannotPut(site, `${size} is also the width of a head; wanted the other value of the parameter of`);
    return inLayers(site, ['kq_soft_max'], () => ({ params: { scale: 1 / Math.sqrt(size) }, byHead: true }));
  },
};
