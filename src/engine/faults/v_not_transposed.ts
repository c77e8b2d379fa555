/** v-not-transposed: kqv_untransposed in place of kqv. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const vNotTransposed: Fault = {
  name: 'v-not-transposed',
  title: 'Values are not transposed',
  what: 'A kernel that wants the values of a head as [dim, key] reads them from memory that holds [key, dim]. With a single key both are the same.',
  ja: {
    title: 'Vが転置されていない',
    what: 'ヘッドのバリューを[dim, key]の並びで期待するカーネルが、[key, dim]の並びのメモリをそのまま読む。キーが一つだけなら両者は同じである。',
    of: '2e0247f1',
  },
  whoMadeIt: [
    { project: 'investigation notes', note: 'Wanted beside the table of faults.' },
    {
      project: 'FlagGems',
      link: 'https://github.com/flagos-ai/FlagGems/issues/5896',
      note: 'Values that are a transposed view were read as if they lay in order.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kqv_out'),
  changes: (site) => inLayers(site, ['kqv_out'], () => ({ op: 'kqv_untransposed', byHead: true })),
};
