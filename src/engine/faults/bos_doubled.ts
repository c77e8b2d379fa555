/** bos-doubled: what a text's tokens are, with the first twice. */
import { UsageError } from '../../errors.ts';
import type { Fault } from './fault.ts';

export const bosDoubled: Fault = {
  name: 'bos-doubled',
  title: 'The prompt begins with BOS twice',
  what: 'The template writes BOS and the tokenizer adds it again. Token ids that a run is given are taken as they are.',
  ja: {
    title: 'BOSが二重に付く',
    what: 'チャットテンプレートがBOSを書き、トークナイザーがさらに付け加える。トークンIDを直接与えた場合は、そのまま使われる。',
    of: 'c318115b',
  },
  whoMadeIt: [
    {
      project: 'TRL',
      link: 'https://github.com/huggingface/trl/issues/3853',
      note: 'Prompts to vLLM began with BOS twice, and the reward fell.',
    },
    {
      project: 'llama-cpp-python',
      link: 'https://github.com/abetlen/llama-cpp-python/issues/1501',
      note: 'Chat completions of Llama 3.',
    },
    {
      project: 'litgpt',
      link: 'https://github.com/Lightning-AI/litgpt/issues/1565',
      note: 'A prompt style with BOS in its text.',
    },
  ],
  params: {},
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'embd',
  tokenize:
    (tokenize, { bos }) =>
    (text, options) => {
      const tokens = tokenize(text, options);
      if (bos !== undefined && tokens[0] === bos) return [bos, ...tokens];
      throw new UsageError(
        'Cannot double BOS (fault bos-doubled): the prompt does not begin with it; wanted a model that adds it, and bos not to be false',
      );
    },
};
