/** residual-normed: ffn_inp adds the normed input. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const residualNormed: Fault = {
  name: 'residual-normed',
  title: 'The residual is taken after the norm',
  what: 'What is added to the output of attention is its normed input, in place of the residual stream itself.',
  ja: {
    title: '正規化後の値を残差として足す',
    what: 'アテンションの出力に、残差ストリームそのものではなく、正規化された入力を足す。',
    of: '88a1c3c8',
  },
  whoMadeIt: [
    {
      project: 'faster-trajectory-transformer',
      link: 'https://github.com/Howuhh/faster-trajectory-transformer/issues/3',
      note: 'norm(x) + attention(norm(x)).',
    },
    { project: 'Burn', link: 'https://github.com/tracel-ai/burn/pull/1054', note: 'The norm stood before the fork.' },
    {
      project: 'PyTorch',
      link: 'https://github.com/pytorch/pytorch/issues/61165',
      note: 'norm_first kept no copy of its input.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('ffn_inp'),
  changes: (site) => inLayers(site, ['ffn_inp'], (i) => ({ inputs: { b: `attn_norm-${i}` } })),
};
