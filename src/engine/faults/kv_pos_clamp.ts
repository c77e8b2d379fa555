/** kv-pos-clamp: rope, mask and cache take no more than so many tokens to stand before a pass. */
import type { Pass } from '../../ops/op.ts';
import { type Fault, inLayers, inRope, numberOf } from './fault.ts';
import { count } from './params.ts';

export const kvPosClamp: Fault = {
  name: 'kv-pos-clamp',
  title: 'The position in the KV cache is clamped',
  what: 'From some position on, every token is taken to stand at that one: RoPE turns it so, and attention sees what stood before and the token itself. Equal tokens then give equal logits, for ever.',
  ja: {
    title: 'KVキャッシュの位置が上限で頭打ちになる',
    what: 'ある位置から先のトークンは全てその位置にあるものとして扱われる。RoPEの角度も、見えるキーの範囲もそこで止まるため、同じトークンが続くとlogitsが完全に等しくなる。',
    of: 'c03b2d69',
  },
  whoMadeIt: [
    {
      project: 'RusTorch',
      note: 'Investigation 004: current_kv_pos was clamped to stop a panic; logits of two steps then agree to four decimals.',
    },
  ],
  params: { at: count('the last position that is told from others', 4) },
  shows: { oneToken: 'no effect', prefill: 'no effect', decode: 'seen' },
  firstTensor: () => 'Qcur_rope-0',
  changes(site) {
    const at = numberOf(site, 'at');
    // The pass's own tokens follow those that it takes to stand before it.
    const cached = (position: number, { nPast, nTokens }: Pass) =>
      nPast > at && position >= at ? Math.min(position - at + nPast, nPast + nTokens - 1) : position;
    return {
      ...inRope(site, { params: { pastMax: at } }),
      ...inLayers(site, ['kq', 'kqv_out'], () => ({ cached })),
      ...inLayers(site, ['kq_soft_max'], () => ({ params: { pastMax: at } })),
    };
  },
};
