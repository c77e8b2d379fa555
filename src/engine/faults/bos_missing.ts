/** bos-missing: what a text's tokens are, less the first. */
import { UsageError } from '../../errors.ts';
import type { Fault } from './fault.ts';

export const bosMissing: Fault = {
  name: 'bos-missing',
  title: 'The prompt lacks BOS',
  what: 'The text is run without the token that every text of the training began with. Token ids that a run is given are taken as they are.',
  ja: {
    title: 'BOSがない',
    what: '学習時の全ての文の先頭にあったBOSトークンを付けずに実行する。トークンIDを直接与えた場合は、そのまま使われる。',
    of: 'cf0a680f',
  },
  whoMadeIt: [
    { project: 'TensorLogic', note: 'Investigations 001 and 003 run their prompts without BOS.' },
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/pull/1303',
      note: 'OpenLLaMA failed wholly without BOS.',
    },
  ],
  params: {},
  excludes: ['bos-doubled'],
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'embd',
  tokenize:
    (tokenize, { bos }) =>
    (text, options) => {
      const [first, ...rest] = tokenize(text, options);
      if (first !== undefined && first === bos) return rest;
      throw new UsageError(
        'Cannot leave out BOS (fault bos-missing): the prompt does not begin with it; wanted a model that adds it, and bos not to be false',
      );
    },
};
