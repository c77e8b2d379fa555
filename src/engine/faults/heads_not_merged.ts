/** heads-not-merged: a step before attn_out that puts heads before tokens. */
import { type Fault, firstOrKeysAfter, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const headsNotMerged: Fault = {
  name: 'heads-not-merged',
  title: 'Heads are not merged by token',
  what: 'What attention gathers lies head by head and is taken to lie token by token: a token’s row gets pieces of other tokens. With one token both are the same.',
  ja: {
    title: 'ヘッドがトークンごとにまとめられない',
    what: 'ヘッドごとに並んだアテンション出力を、トークンごとに並んでいるものとして読むため、ある行に他のトークンの断片が混ざる。1トークンなら両者は同じである。',
    of: '40b2889f',
  },
  whoMadeIt: [
    {
      project: 'transformer-from-scratch',
      link: 'https://github.com/jsbaan/transformer-from-scratch/pull/6',
      note: 'A permute was missing before the reshape; training on a copying task did not show it.',
    },
    {
      project: 'Transformer-Neural-Network',
      link: 'https://github.com/ajhalthor/Transformer-Neural-Network/pull/4',
      note: 'The same.',
    },
    {
      project: 'Transformer-Various-Positional-Encoding',
      link: 'https://github.com/gazelle93/Transformer-Various-Positional-Encoding/issues/1',
      note: 'Batch and heads were mixed up before merging.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOrKeysAfter('attn_out'),
  changes(site) {
    return inLayers(site, [site.config.hasAttentionBias ? 'attn_out_nobias' : 'attn_out'], (layer) => {
      const x = `kqv_unmerged-${layer}`;
      const inputs = { x: `kqv_out-${layer}` };
      const unmerged = { name: x, layer, op: 'heads_unmerged', inputs, params: {}, dims: ['token', 'head', 'dim'] };
      return { inputs: { x }, before: [unmerged] };
    });
  },
};
