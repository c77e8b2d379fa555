/** silu-zero: ffn_silu is its input times 0. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const siluZero: Fault = {
  name: 'silu-zero',
  title: 'silu gives zeros',
  what: 'The activation gives 0 for every input, so the feed-forward network adds nothing and each layer is its attention alone.',
  ja: {
    title: 'siluが常に0を返す',
    what: '活性化関数がどの入力に対しても0を返すため、FFNは残差に何も加えず、各層はアテンションだけになる。',
    of: 'b4980766',
  },
  whoMadeIt: [
    {
      project: 'TensorLogic',
      note: 'Investigation 003: silu_gate sums to 0, so ffn_out is 0 and the layer gives what it was given after attention.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('ffn_silu'),
  changes: (site) => inLayers(site, ['ffn_silu'], () => ({ op: 'scale', params: { factor: 0 } })),
};
