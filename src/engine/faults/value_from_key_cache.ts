/** value-from-key-cache: kqv reads the keys' slot. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const valueFromKeyCache: Fault = {
  name: 'value-from-key-cache',
  title: 'Values are read from the cache of the keys',
  what: 'The caches of keys and values have one address, and attention gathers keys where it ought to gather values.',
  ja: {
    title: 'Vの代わりにKのキャッシュを読む',
    what: 'キーとバリューのキャッシュが同じアドレスを指し、バリューの代わりにキーを集めてしまう。',
    of: '6b9859a2',
  },
  whoMadeIt: [
    {
      project: 'vLLM Ascend',
      link: 'https://github.com/vllm-project/vllm-ascend/pull/11021',
      note: 'A review: the index of the cache within its group was dropped, so that keys and values resolve to one address.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kqv_out'),
  changes: (site) => inLayers(site, ['kqv_out'], (i) => ({ inputs: { v: `cache_k-${i}` }, byHead: true })),
};
