/** residual-doubled: a second sum before a sum. */
import { derivedName } from '../transforms/transform.ts';
import { type Fault, inLayers, residualInto, residualSum } from './fault.ts';
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
  whoMadeIt: [
    {
      project: 'MAP',
      link: 'https://github.com/yunzeliu/MAP/issues/3',
      note: 'A report: its blocks add their input, and the loop around them adds it again.',
    },
  ],
  params: { layer, of: choice('where it is added twice', ['attention', 'ffn']) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: (hit) => `${residualSum(hit).sum}-${hit.layers[0]}`,
  changes(site) {
    const { sum, part } = residualSum(site);
    return inLayers(site, [sum], (layer, name) => {
      const once = derivedName(name, 'once');
      const inputs = { a: `${part}-${layer}`, b: sum === 'l_out' ? `ffn_inp-${layer}` : residualInto(layer) };
      const first = { name: once, layer, op: 'add', inputs, params: {}, dims: ['token', 'embd'] };
      return { inputs: { a: once }, before: [first] };
    });
  },
};
