/** rope-base: rope with another base. */
import { cannotPut, type Fault, firstOf, inRope, numberOf } from './fault.ts';
import { head, layer, positive } from './params.ts';

export const ropeBase: Fault = {
  name: 'rope-base',
  title: 'RoPE has another base',
  what: 'Frequencies are computed from a base that is not the one in the metadata. Short texts hardly suffer: the error grows with the distance between tokens.',
  ja: {
    title: 'RoPEのbaseが違う',
    what: 'メタデータとは異なるbaseから周波数を計算する。短い文ではほとんど差が出ず、トークン間の距離が開くほど誤差が大きくなる。',
    of: '0d489c02',
  },
  whoMadeIt: [
    {
      project: 'llama2.c',
      link: 'https://github.com/karpathy/llama2.c/issues/356',
      note: '10,000 was fixed in the code; Code Llama has 1,000,000.',
    },
    {
      project: 'AirLLM',
      link: 'https://github.com/lyogavin/airllm/pull/369',
      note: 'rope_theta of the configuration was not passed on.',
    },
    {
      project: 'penzai',
      link: 'https://github.com/google-deepmind/penzai/pull/102',
      note: '10,000 was fixed in the code; Llama 3 has 500,000.',
    },
  ],
  params: { layer, head, base: positive('the base to use', 500_000) },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes(site) {
    const base = numberOf(site, 'base');
    if (base === site.config.ropeBase) throw cannotPut(site, `its base is ${base}; wanted another one in base`);
    return inRope(site, { params: { freqBase: base } });
  },
};
