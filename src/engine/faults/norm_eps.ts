/** norm-eps: norms with another eps. */
import { cannotPut, type Fault, firstOf, inNorms, numberOf } from './fault.ts';
import { layer, positive } from './params.ts';

export const normEps: Fault = {
  name: 'norm-eps',
  title: 'The norms have another eps',
  what: 'What is added to the mean square is not what the metadata says. The smaller the activations, the more it shows: early layers first.',
  ja: {
    title: 'RMSNormのepsが違う',
    what: '二乗平均に加える値がメタデータと異なる。活性が小さいほど影響が大きく、最初の方の層から現れる。',
    of: 'b6163dc0',
  },
  whoMadeIt: [
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/issues/2373',
      note: '1e-6 was fixed in the code; Llama 2 has 1e-5.',
    },
    { project: 'TVM', link: 'https://github.com/apache/tvm/pull/15856', note: '1e-6 was fixed in the CUTLASS kernel.' },
    {
      project: 'Llama',
      link: 'https://github.com/meta-llama/llama/issues/771',
      note: 'A report that the file of the 7B chat model said 1e-6.',
    },
  ],
  params: { layer, eps: positive('the eps to use', 1e-6) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('attn_norm'),
  changes(site) {
    const eps = numberOf(site, 'eps');
    if (Math.abs(eps / site.config.eps - 1) < 1e-6)
      throw cannotPut(site, `its eps is ${eps}; wanted another one in eps`);
    return inNorms(site, { params: { eps } });
  },
};
