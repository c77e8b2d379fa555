/** rope-exponent-sign: rope with the inverse of its base, which turns the sign of the exponent round. */
import { type Fault, firstOf, inRope } from './fault.ts';
import { head, layer } from './params.ts';

export const ropeExponentSign: Fault = {
  name: 'rope-exponent-sign',
  title: 'The exponent of the RoPE frequencies lacks its minus sign',
  what: 'Pair i turns by position · base^(2i/d) in place of base^(-2i/d): frequencies grow where they ought to fall, and angles become random.',
  ja: {
    title: 'RoPEの周波数の指数に負号がない',
    what: 'i番目のペアの角度がposition・base^(-2i/d)ではなくposition・base^(2i/d)になる。低くなるはずの周波数が高くなり、角度は事実上でたらめになる。',
    of: '5f85d030',
  },
  whoMadeIt: [
    {
      project: 'RusTorch',
      note: 'Investigation 002 quotes the frequency without the minus sign, as it believes llama.cpp to have it.',
    },
    {
      project: 'LeetCUDA',
      link: 'https://github.com/xlite-dev/LeetCUDA/issues/289',
      note: 'The position is divided by the inverse frequency in place of multiplied.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes: (site) => inRope(site, { params: { freqBase: 1 / site.config.ropeBase } }),
};
