/** mask-without-past: soft_max takes no token to stand before its pass. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const maskWithoutPast: Fault = {
  name: 'mask-without-past',
  title: 'The causal mask forgets the tokens before the pass',
  what: 'The mask is built for the tokens of a pass as if none stood before them: the first of them sees one key, the second two. A prompt in one pass is right.',
  ja: {
    title: '因果マスクが過去のトークンを数えない',
    what: 'パスより前のトークンがないものとしてマスクを作るため、パスの1番目のトークンは1個、2番目は2個のキーしか見えない。プロンプト全体を1回のパスで処理する場合は正しい。',
    of: 'bc010283',
  },
  whoMadeIt: [
    {
      project: 'hyprstream',
      link: 'https://github.com/hyprstream/hyprstream/pull/1521',
      note: 'A triangle from the corner of [queries, keys]: with a cached prefix the whole history was masked out.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'no effect', decode: 'seen' },
  firstTensor: firstOf('kq_soft_max'),
  changes: (site) => inLayers(site, ['kq_soft_max'], () => ({ params: { pastMax: 0 }, byHead: true })),
};
