/** rope-on-v: a rope step between Vcur and its cache. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const ropeOnV: Fault = {
  name: 'rope-on-v',
  title: 'RoPE is applied to values too',
  what: 'Values are turned by the position of their token before they are cached, so that what is gathered depends on where it stood.',
  ja: {
    title: 'VにもRoPEを適用する',
    what: 'バリューもトークンの位置に応じて回転させてからキャッシュに書き込む。そのため、集められる内容がトークンの位置に左右される。',
    of: '24efc39f',
  },
  whoMadeIt: [
    {
      project: 'x-transformers',
      link: 'https://github.com/lucidrains/x-transformers/issues/182',
      note: 'Values were turned too, first on purpose and then by oversight, until 1.20.',
    },
    {
      project: 'tt-mlir',
      link: 'https://github.com/tenstorrent/tt-mlir/issues/8958',
      note: 'A fusion mistook keys for values: RoPE turned the values, and the text fell apart.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('kqv_out'),
  changes(site) {
    const { ropeBase: freqBase, ropeScale: freqScale, ropeDim: dimRot, hasRopeFreqs } = site.config;
    const params = { freqBase, freqScale, dimRot, pairing: 'neighbours' };
    const factors: { factors?: string } = hasRopeFreqs ? { factors: 'rope_freqs.weight' } : {};
    return inLayers(site, ['Vcur'], (layer, x) => {
      const turned = { name: `Vcur_rope-${layer}`, layer, op: 'rope', inputs: { x, ...factors }, params };
      return { writes: null, after: [{ ...turned, dims: ['token', 'head', 'dim'], writes: `cache_v-${layer}` }] };
    });
  },
};
