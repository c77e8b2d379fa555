/** output-norm-missing: result_output reads l_out of the last layer. */
import type { Fault } from './fault.ts';

export const outputNormMissing: Fault = {
  name: 'output-norm-missing',
  title: 'The last norm is left out',
  what: 'Logits are computed from the residual stream as the last layer leaves it.',
  ja: {
    title: '最終層の後の正規化がない',
    what: '最終RMSNormを通さず、最終層の残差ストリームから直接logitsを計算する。',
    of: 'f1884ba3',
  },
  whoMadeIt: [
    {
      project: 'speculators',
      link: 'https://github.com/vllm-project/speculators/pull/313',
      note: 'Hidden states of vLLM lack the last norm, and targets were computed from them as they were.',
    },
    {
      project: 'Model Optimizer',
      link: 'https://github.com/NVIDIA/Model-Optimizer/pull/1846',
      note: 'The same in distillation.',
    },
  ],
  params: {},
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'result_output',
  changes: ({ config }) => ({ result_output: { inputs: { x: `l_out-${config.nLayer - 1}` } } }),
};
