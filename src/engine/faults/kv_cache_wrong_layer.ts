/** kv-cache-wrong-layer: kq and kqv read the slots of the layer before. */
import { cannotPut, type Fault, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const kvCacheWrongLayer: Fault = {
  name: 'kv-cache-wrong-layer',
  title: 'A layer reads the KV cache of the one before',
  what: 'Queries of a layer meet keys and values of the layer before it. Each cache is right; the index of the layer is not.',
  ja: {
    title: '一つ前の層のKVキャッシュを読む',
    what: 'ある層のクエリが、一つ前の層のキーとバリューを読む。キャッシュの中身は正しく、層の番号だけが違う。',
    of: 'ec68e12e',
  },
  whoMadeIt: [
    {
      project: 'DingoCache',
      link: 'https://github.com/dingodb/DingoCache/pull/116',
      note: 'The key of an entry left out the layer, so that all layers of a chunk read what the last of them had written.',
    },
  ],
  params: { layer: { ...layer, what: 'the layer to hit, from 1 on; all of them but the first unless given' } },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: ({ layers }) => `kq-${Math.max(1, layers[0]!)}`,
  changes(site) {
    const layers = site.layers.filter((i) => i > 0);
    if (layers.length === 0)
      throw cannotPut(site, 'no layer stands before the one to hit; wanted layer 1 or a later one');
    return {
      ...inLayers({ layers }, ['kq'], (i) => ({ inputs: { k: `cache_k-${i - 1}` } })),
      ...inLayers({ layers }, ['kqv_out'], (i) => ({ inputs: { v: `cache_v-${i - 1}` } })),
    };
  },
};
