/** tied-by-mistake: result_output reads the embedding. */
import { cannotPut, type Fault } from './fault.ts';

export const tiedByMistake: Fault = {
  name: 'tied-by-mistake',
  title: 'The embedding is used as output matrix',
  what: 'The file has an output.weight of its own, and the engine computes logits with the embedding.',
  ja: {
    title: '埋め込み行列が誤って出力に使われる',
    what: 'ファイルには専用のoutput.weightがあるのに、埋め込み行列でlogitsを計算する。',
    of: '4b796cd4',
  },
  whoMadeIt: [
    {
      project: 'SharpMind',
      link: 'https://github.com/Integral2u/SharpMind/issues/38',
      note: 'The GPU path used the embedding for every model.',
    },
    {
      project: 'DeepSpeed',
      link: 'https://github.com/deepspeedai/DeepSpeed/pull/4088',
      note: 'Loading a checkpoint set the output matrix to the embedding; a Llama has its own.',
    },
  ],
  params: {},
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'result_output',
  changes(site) {
    if (site.config.tiedEmbeddings) {
      throw cannotPut(
        site,
        'it has no output.weight; wanted a model that has one, or the fault tied-embedding-ignored',
      );
    }
    return { result_output: { inputs: { weight: 'token_embd.weight' } } };
  },
};
