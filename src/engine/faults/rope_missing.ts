/** rope-missing: rope by angles of 0. */
import { cannotPut, type Fault, inRope } from './fault.ts';
import { choice, head, layer } from './params.ts';

/** What says by which angle which dimensions are turned. */
const ANGLES = ['pairing', 'freqBase', 'dimRot', 'factors', 'pastMax', 'decodeOffset'];

export const ropeMissing: Fault = {
  name: 'rope-missing',
  title: 'RoPE is left out',
  what: 'Queries, keys or both stay unturned. Without both the model sees a bag of words; without one, distances are wrong by the position of the token itself.',
  ja: {
    title: 'RoPEが適用されない',
    what: 'クエリ、キー、またはその両方が回転されないまま使われる。両方なければ語順の情報が失われ、片方だけなら相対位置がずれる。',
    of: '9daaf3f3',
  },
  whoMadeIt: [
    {
      project: 'SGLang',
      link: 'https://github.com/kvcache-ai/sglang/pull/66',
      note: 'The turned key was written to the cache alone, and attention used the unturned one.',
    },
  ],
  params: { layer, head, of: choice('what is not turned', ['both', 'q', 'k']) },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: ({ layers, params }) => `${params.of === 'k' ? 'K' : 'Q'}cur_rope-${layers[0]}`,
  changes(site) {
    const { of, head } = site.params;
    if (of === 'k' && head !== undefined) {
      throw cannotPut(site, 'head is a query head and of is k; wanted one of the two alone');
    }
    const all = Object.entries(inRope(site, { params: { freqScale: 0 }, mutes: ANGLES }));
    return Object.fromEntries(all.filter(([name]) => of === 'both' || name.startsWith(of === 'q' ? 'Q' : 'K')));
  },
};
