/** layers-swapped: steps of two layers read each other's weights. */
import { forward } from '../../llama/forward.ts';
import { cannotPut, type Fault, numberOf } from './fault.ts';
import { index } from './params.ts';

export const layersSwapped: Fault = {
  name: 'layers-swapped',
  title: 'Two layers are swapped',
  what: 'Two layers have each other’s weights. All sizes fit, so that nothing complains.',
  ja: {
    title: '二つの層の重みが入れ替わる',
    what: '二つの層が互いの重みを使う。形状は全て一致するため、エラーは出ない。',
    of: 'bccef34d',
  },
  whoMadeIt: [
    {
      project: 'investigation notes',
      note: 'From the table of faults: layers 1 and 2. No report of just this was found; the others are the nearest.',
    },
    {
      project: 'Transformers',
      link: 'https://github.com/huggingface/transformers/pull/24381',
      note: 'A conversion gave each stage of a pipeline the layers of the first.',
    },
    {
      project: 'tt-metal',
      link: 'https://github.com/tenstorrent/tt-metal/issues/54884',
      note: 'A stage that holds layers 36 to 71 loaded one kind of tensor of layers 0 to 35; all shapes fit.',
    },
  ],
  params: { a: index('one of the layers', 1), b: index('the other', 2) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: ({ params }) => `attn_norm-${Math.min(Number(params.a), Number(params.b))}`,
  changes(site) {
    const { nLayer } = site.config;
    if (nLayer < 2) throw cannotPut(site, 'it has one layer; wanted a model of two or more');
    const pair = [numberOf(site, 'a'), numberOf(site, 'b')] as const;
    if (pair[0] === pair[1] || Math.max(...pair) >= nLayer) {
      throw cannotPut(site, `a is ${pair[0]} and b is ${pair[1]}; wanted two layers of 0 to ${nLayer - 1}`);
    }
    const other = new Map([pair, [pair[1], pair[0]]]);
    const inside = forward(site.config).filter(({ layer, inputs }) => other.has(layer ?? -1) && inputs.weight);
    return Object.fromEntries(
      inside.map(({ name, layer, inputs }) => {
        const weight = inputs.weight!.replace(`blk.${layer}.`, `blk.${other.get(layer!)}.`);
        return [name, { inputs: { weight } }];
      }),
    );
  },
};
