/** position-restarts: rope takes no token to stand before its pass. */
import { type Fault, firstOf, inRope } from './fault.ts';
import { head, layer } from './params.ts';

export const positionRestarts: Fault = {
  name: 'position-restarts',
  title: 'Positions begin again at 0 in each pass',
  what: 'RoPE counts the tokens of a pass and not those before it: every decoded token stands at position 0.',
  ja: {
    title: 'パスごとに位置が0から始まる',
    what: 'RoPEがそのパスの中のトークンだけを数えるため、デコードされるトークンは全て位置0とみなされる。',
    of: '533a69ba',
  },
  whoMadeIt: [
    {
      project: 'mlx-vlm',
      link: 'https://github.com/Blaizzy/mlx-vlm/issues/1983',
      note: 'Qwen3-Omni counted positions from the tokens of the pass, so that each decoded one stood at 0.',
    },
    {
      project: 'MoEUT',
      link: 'https://github.com/RobertCsordas/moeut/pull/6',
      note: 'A pull request that says so: the offset of the queries was taken before the cached keys were joined to them.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'no effect', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes: (site) => inRope(site, { params: { pastMax: 0 } }),
};
