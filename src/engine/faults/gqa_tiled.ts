/** gqa-tiled: kq and kqv group heads by turns. */
import { cannotPut, type Fault, firstOf, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const gqaTiled: Fault = {
  name: 'gqa-tiled',
  title: 'KV heads are tiled, not repeated',
  what: 'Query head h reads KV head h mod nHeadKv: the whole list of KV heads is repeated, where each of them ought to be, for neighbouring query heads share one.',
  ja: {
    title: 'KVヘッドがrepeatではなくtileで展開される',
    what: '隣り合うクエリヘッドが一つのKVヘッドを共有すべきところを、KVヘッドの並び全体を繰り返すため、クエリヘッドhがKVヘッド(h mod nHeadKv)を読む。',
    of: '334ee7bc',
  },
  whoMadeIt: [
    {
      project: 'ONNX',
      link: 'https://github.com/onnx/onnx/pull/7274',
      note: 'Attention tiled keys and values where PyTorch interleaves them.',
    },
    {
      project: 'NNTile',
      link: 'https://github.com/nntile/nntile/pull/347',
      note: 'A review found the same order in the conversion of output projections.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kq'),
  changes(site) {
    const { nHead, nHeadKv } = site.config;
    if (nHeadKv === nHead || nHeadKv === 1) {
      const found = `${nHead} heads and ${nHeadKv} KV heads`;
      throw cannotPut(
        site,
        `it has ${found}, so both orders are one; wanted KV heads that groups of heads share, two or more`,
      );
    }
    const { head } = site.params;
    if (typeof head === 'number' && head % nHeadKv === Math.floor(head / (nHead / nHeadKv))) {
      throw cannotPut(site, `query head ${head} reads KV head ${head % nHeadKv} in both orders; wanted another head`);
    }
    return inLayers(site, ['kq', 'kqv_out'], () => ({ params: { grouping: 'tiled' }, byHead: true }));
  },
};
