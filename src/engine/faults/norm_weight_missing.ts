/** norm-weight-missing: norms read weights of 1. */
import { type Fault, firstOf, inNorms } from './fault.ts';
import { layer } from './params.ts';

export const normWeightMissing: Fault = {
  name: 'norm-weight-missing',
  title: 'The weights of the norms are missing',
  what: 'Activations are divided by their root mean square and not multiplied by the weight of the norm.',
  ja: {
    title: 'RMSNormの重みが掛けられない',
    what: '活性をRMSで割るだけで、正規化の重みを掛けない。',
    of: '5b0d1d56',
  },
  whoMadeIt: [
    { project: 'investigation notes', note: 'From the table of faults; no report of it in a project was found.' },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('attn_norm'),
  changes: (site) => inNorms(site, { weight: { values: (weight) => weight.map(() => 1) } }),
};
