/** residual-missing: see its page below. */
import { type Fault, type Hit, inLayers } from './fault.ts';
import { choice, layer } from './params.ts';

const sumOf = ({ layers, params }: Hit) => `${params.of === 'attention' ? 'ffn_inp' : 'l_out'}-${layers[0]}`;

export const residualMissing: Fault = {
  name: 'residual-missing',
  title: 'The residual connection is missing',
  what: 'A layer hands on what attention or the feed-forward network gives, without what came in.',
  ja: {
    title: '残差接続がない',
    what: 'アテンション(またはFFN)の出力だけを次へ渡し、入力を足し戻さない。',
    of: 'cbba1537',
  },
  whoMadeIt: [],
  params: { layer, of: choice('what loses it', ['attention', 'ffn']) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: sumOf,
  changes: (site) =>
    inLayers(site, [site.params.of === 'attention' ? 'ffn_inp' : 'l_out'], (i) => ({
      op: 'scale',
      inputs: { a: null, b: null, x: site.params.of === 'attention' ? `attn_out-${i}` : `ffn_out-${i}` },
      params: { factor: 1 },
    })),
};
