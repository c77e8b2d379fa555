/** kv-cache-off-by-one: kq and kqv find the row of an earlier position in the cache. */
import type { Pass } from '../../ops/op.ts';
import { type Fault, firstOf, inLayers, numberOf } from './fault.ts';
import { count, head, layer } from './params.ts';

export const kvCacheOffByOne: Fault = {
  name: 'kv-cache-off-by-one',
  title: 'The KV cache is read one position off',
  what: 'In every pass after the first, attention finds at each position the key and the value of the one before. It never sees the token itself.',
  ja: {
    title: 'KVキャッシュの読み出し位置が一つずれる',
    what: '2回目以降のパスで、アテンションが各位置のキーとバリューとして一つ前の位置のものを読む。現在のトークン自身は見えない。',
    of: '8b219b00',
  },
  whoMadeIt: [
    { project: 'RusTorch', note: 'Investigation 002 suspects its KV cache, which cannot make the first token wrong.' },
    {
      project: 'mistral.rs',
      link: 'https://github.com/EricLBuehler/mistral.rs/pull/300',
      note: 'A fix of the indices into the KV cache of Llama.',
    },
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/pull/12161',
      note: 'The server’s positions in a cache that is used again were off after a shift.',
    },
  ],
  params: { layer, head, by: count('how many positions', 1) },
  shows: { oneToken: 'no effect', prefill: 'no effect', decode: 'seen' },
  firstTensor: firstOf('kq'),
  changes(site) {
    const by = numberOf(site, 'by');
    const cached = (position: number, { nPast }: Pass) => (nPast > 0 ? Math.max(0, position - by) : position);
    return inLayers(site, ['kq', 'kqv_out'], () => ({ cached, byHead: true }));
  },
};
