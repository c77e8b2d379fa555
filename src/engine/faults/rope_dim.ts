/** rope-dim: rope turns fewer dimensions. */
import { cannotPut, type Fault, firstOf, inRope, numberOf } from './fault.ts';
import { count, head, layer } from './params.ts';

export const ropeDim: Fault = {
  name: 'rope-dim',
  title: 'RoPE turns the wrong number of dimensions',
  what: 'Only some dimensions of a head are turned, the first ones, and frequencies are spread over those. The rest carry no position.',
  ja: {
    title: 'RoPEを適用する次元数が違う',
    what: 'ヘッドの先頭の一部の次元だけが回転し、周波数もその次元数で割り振られる。残りの次元は位置の情報を持たない。',
    of: '500e1f08',
  },
  whoMadeIt: [
    {
      project: 'vLLM',
      link: 'https://github.com/vllm-project/vllm/pull/41185',
      note: 'A factor meant for other layers halved the dimensions that were turned.',
    },
    { project: 'vLLM', link: 'https://github.com/vllm-project/vllm/pull/30384', note: 'The factor was applied twice.' },
  ],
  params: { layer, head, dim: count('how many dimensions to turn, an even number; half of them unless given') },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes(site) {
    const { ropeDim, hasRopeFreqs } = site.config;
    const dim = site.params.dim === undefined ? 2 * Math.floor(ropeDim / 4) : numberOf(site, 'dim');
    if (dim < 2 || dim % 2 !== 0 || dim >= ropeDim) {
      throw cannotPut(site, `it turns ${ropeDim} dimensions of a head; wanted dim to be an even number below that`);
    }
    return inRope(site, { params: { dimRot: dim }, ...(hasRopeFreqs ? { inputs: { factors: null } } : {}) });
  },
};
