/** residual-doubled: see its page below. */
import { derivedName } from '../transforms/transform.ts';
import { type Fault, inLayers } from './fault.ts';
import { choice, layer } from './params.ts';

export const residualDoubled: Fault = {
  name: 'residual-doubled',
  title: 'The residual is added twice',
  what: 'What came into attention or the feed-forward network is added to what it gives, and added once more.',
  ja: {
    title: '残差が二重に加算される',
    what: 'アテンション(またはFFN)の出力に、入力を二回足してしまう。',
    of: '7d283c14',
  },
  whoMadeIt: [],
  params: { layer, of: choice('where it is added twice', ['attention', 'ffn']) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: ({ layers, params }) => `${params.of === 'attention' ? 'ffn_inp' : 'l_out'}-${layers[0]}`,
  changes: (site) =>
    inLayers(site, [site.params.of === 'attention' ? 'ffn_inp' : 'l_out'], (layer, name) => {
      const first = site.params.of === 'attention' ? `attn_out-${layer}` : `ffn_out-${layer}`;
      const residual = site.params.of === 'ffn' ? `ffn_inp-${layer}` : layer === 0 ? 'embd' : `l_out-${layer - 1}`;
      const once = derivedName(name, 'once');
      const inputs = { a: first, b: residual };
      return {
        inputs: { a: once },
        before: [{ name: once, layer, op: 'add', inputs, params: {}, dims: ['token', 'embd'] }],
      };
    }),
};
