/** sigmoid-for-silu: ffn_silu is a sigmoid step. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const sigmoidForSilu: Fault = {
  name: 'sigmoid-for-silu',
  title: 'The sigmoid alone in place of silu',
  what: 'The activation gives σ(x) and forgets to multiply by x, so that a strongly negative gate lets little through and every other lets up to 1 of it.',
  ja: {
    title: 'siluの代わりにsigmoidだけを使う',
    what: '活性化関数がσ(x)を返し、xを掛け忘れる。ゲート値の大きさと符号が失われ、通過量は0から1の間に押し込められる。',
    of: '285018d7',
  },
  whoMadeIt: [
    { project: 'investigation notes', note: 'From the table of faults; no report of it in a project was found.' },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('ffn_silu'),
  changes: (site) => inLayers(site, ['ffn_silu'], () => ({ op: 'sigmoid' })),
};
