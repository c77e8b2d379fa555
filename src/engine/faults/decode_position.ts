/** decode-position: rope counts further in passes that follow another. */
import { type Fault, firstOf, inRope, numberOf } from './fault.ts';
import { count, head, layer } from './params.ts';

export const decodePosition: Fault = {
  name: 'decode-position',
  title: 'Decoded tokens stand one position too far',
  what: 'In every pass after the first, RoPE takes its tokens to stand one further than they do.',
  ja: {
    title: 'デコード時の位置が一つ先にずれる',
    what: '2回目以降のパスで、RoPEがトークンの位置を実際より一つ先とみなす。',
    of: '7d03e17a',
  },
  whoMadeIt: [
    {
      project: 'tiny-llm',
      link: 'https://github.com/skyzh/tiny-llm/pull/46',
      note: 'The offset grew by the length of the prompt once more after the first step.',
    },
  ],
  params: { layer, head, by: count('how many positions too far', 1) },
  shows: { oneToken: 'no effect', prefill: 'no effect', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes: (site) => inRope(site, { params: { decodeOffset: numberOf(site, 'by') } }),
};
