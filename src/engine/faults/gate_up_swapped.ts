/** gate-up-swapped: ffn_silu reads ffn_up, and ffn_swiglu ffn_gate. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { layer } from './params.ts';

export const gateUpSwapped: Fault = {
  name: 'gate-up-swapped',
  title: 'Gate and up are swapped',
  what: 'The network computes silu(up) · gate in place of silu(gate) · up. Both projections are right; only their roles are not.',
  ja: {
    title: 'gateとupが入れ替わる',
    what: 'silu(gate)・upではなく、silu(up)・gateを計算する。二つの射影の値はどちらも正しく、役割だけが逆である。',
    of: '9a3879d6',
  },
  whoMadeIt: [
    {
      project: 'NNTrainer',
      link: 'https://github.com/nntrainer/nntrainer/pull/4194',
      note: 'Weights are loaded in the order of creation, and gate was created before up.',
    },
    {
      project: 'SGLang',
      link: 'https://github.com/sgl-project/sglang/pull/32430',
      note: 'A kernel was replaced by one that takes the two halves in the other order: 0 % on GSM8K before, 94 % after.',
    },
    {
      project: 'mlx-lm',
      link: 'https://github.com/ml-explore/mlx-lm/pull/767',
      note: 'A wrapper computed silu(x) · gate.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('ffn_silu'),
  changes: (site) => ({
    ...inLayers(site, ['ffn_silu'], (i) => ({ inputs: { x: `ffn_up-${i}` } })),
    ...inLayers(site, ['ffn_swiglu'], (i) => ({ inputs: { b: `ffn_gate-${i}` } })),
  }),
};
