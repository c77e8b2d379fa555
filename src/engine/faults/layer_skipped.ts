/** layer-skipped: l_out is a copy of what came into the layer. */
import { type Fault, type Hit, residualInto } from './fault.ts';
import { layer } from './params.ts';

const skipped = ({ layers }: Hit): number => layers.at(-1) ?? 0;

export const layerSkipped: Fault = {
  name: 'layer-skipped',
  title: 'A layer is left out',
  what: 'The layer hands on what it was given: a loop that ends one too early, or begins one too late.',
  ja: {
    title: '層が一つ飛ばされる',
    what: 'ある層が入力をそのまま出力する。ループの終わりが一つ早い、または始まりが一つ遅い場合に起きる。',
    of: '4d070322',
  },
  whoMadeIt: [
    {
      project: 'continual-inference',
      link: 'https://github.com/LukasHedegaard/continual-inference/pull/70',
      note: 'An encoder of three layers or more ran one layer too few.',
    },
  ],
  params: { layer: { ...layer, what: 'the layer to leave out, counted from 0; the last unless given' } },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: (hit) => `l_out-${skipped(hit)}`,
  changes(site) {
    const i = skipped(site);
    const inputs = { a: null, b: null, x: residualInto(i) };
    return { [`l_out-${i}`]: { op: 'scale', inputs, params: { factor: 1 } } };
  },
};
