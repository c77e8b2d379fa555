/** mask-off-by-one: soft_max sees ahead. */
import { type Fault, firstOrKeysAfter, inLayers, numberOf } from './fault.ts';
import { count, head, layer } from './params.ts';

export const maskOffByOne: Fault = {
  name: 'mask-off-by-one',
  title: 'The causal mask is off by one',
  what: 'Each token of a pass sees the one after it: the diagonal of the mask lies one too far to the right.',
  ja: {
    title: '因果マスクが一つずれる',
    what: 'パス内の各トークンが、自分の一つ後のトークンまで見てしまう。マスクの対角線が一つ右にずれている。',
    of: '012d077c',
  },
  whoMadeIt: [
    {
      project: 'GPT-SoVITS',
      link: 'https://github.com/RVC-Boss/GPT-SoVITS/issues/965',
      note: 'A report that the diagonal of its mask lies one off, to the other side.',
    },
  ],
  params: { layer, head, ahead: count('how many tokens ahead one sees', 1) },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOrKeysAfter('kq_soft_max'),
  changes: (site) =>
    inLayers(site, ['kq_soft_max'], () => ({ params: { ahead: numberOf(site, 'ahead') }, byHead: true })),
};
