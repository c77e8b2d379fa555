/** residual-missing: a sum is a copy of one of its parts. */
import { type Fault, inLayers, residualSum } from './fault.ts';
import { choice, layer } from './params.ts';

export const residualMissing: Fault = {
  name: 'residual-missing',
  title: 'The residual connection is missing',
  what: 'A layer hands on what attention or the feed-forward network gives, without what came in.',
  ja: {
    title: '残差接続がない',
    what: 'アテンション(またはFFN)の出力だけを次へ渡し、入力を足し戻さない。',
    of: 'cbba1537',
  },
  whoMadeIt: [
    {
      project: 'BitNet',
      link: 'https://github.com/kyegomez/BitNet/issues/32',
      note: 'x = x + x after attention: its input was overwritten, and its output added to itself.',
    },
    {
      project: 'TorchMultimodal',
      link: 'https://github.com/facebookresearch/multimodal/pull/305',
      note: 'MUGEN overwrote the input in the same way, after attention and after the feed-forward.',
    },
  ],
  params: { layer, of: choice('what loses it', ['attention', 'ffn']) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: (hit) => `${residualSum(hit).sum}-${hit.layers[0]}`,
  changes(site) {
    const { sum, part } = residualSum(site);
    const params = { factor: 1 };
    return inLayers(site, [sum], (i) => ({ op: 'scale', inputs: { a: null, b: null, x: `${part}-${i}` }, params }));
  },
};
