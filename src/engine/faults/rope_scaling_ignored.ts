/** rope-scaling-ignored: rope without the scale and the factors of the file. */
import { cannotPut, type Fault, firstOf, inRope } from './fault.ts';
import { head, layer } from './params.ts';

export const ropeScalingIgnored: Fault = {
  name: 'rope-scaling-ignored',
  title: 'The scaling of RoPE is ignored',
  what: 'The file stretches its positions, by a factor or by rope_freqs.weight as Llama 3.1 does, and the engine turns by the plain angles. Long texts fall apart; short ones look right.',
  ja: {
    title: 'RoPEのスケーリングが無視される',
    what: 'ファイルは係数、またはLlama 3.1以降のrope_freqs.weightで位置を伸縮しているのに、素の角度で回転させる。短い文は正しく見え、長い文で崩れる。',
    of: 'ae22402f',
  },
  whoMadeIt: [
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/pull/8676',
      note: 'The factors of Llama 3.1 came to conversion and inference with this change.',
    },
    {
      project: 'ANEForge',
      link: 'https://github.com/sbryngelson/ANEForge/pull/58',
      note: 'rope_scaling was not read: summaries of long articles fell into loops.',
    },
    {
      project: 'mlx-vlm',
      link: 'https://github.com/Blaizzy/mlx-vlm/pull/1710',
      note: 'Ten models declared it and did not pass it on.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes(site) {
    const { hasRopeFreqs, ropeScale } = site.config;
    if (!hasRopeFreqs && ropeScale === 1) {
      throw cannotPut(site, 'it has neither rope_freqs.weight nor a scaling factor; wanted a model with one of them');
    }
    return inRope(site, { params: { freqScale: 1 }, ...(hasRopeFreqs ? { inputs: { factors: null } } : {}) });
  },
};
