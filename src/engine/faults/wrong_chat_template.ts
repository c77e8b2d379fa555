/** wrong-chat-template: a chat is written by hand in place of the template in the file. */
import { UsageError } from '../../errors.ts';
import type { Fault } from './fault.ts';
import { choice } from './params.ts';

/** What each makes of a user's message. */
const TEMPLATES: Readonly<Record<string, (text: string) => string>> = {
  chatml: (text) => `<|im_start|>user\n${text}<|im_end|>\n<|im_start|>assistant\n`,
  llama2: (text) => `[INST] ${text} [/INST]`,
  roles: (text) => `user: ${text}\nassistant:`,
  none: (text) => text,
};

export const wrongChatTemplate: Fault = {
  name: 'wrong-chat-template',
  title: 'The prompt is put into another model’s chat template',
  what: 'A message is written as another family of models was trained to read it, or as plain text. Only runs that are started with chat show it.',
  ja: {
    title: '別のモデルのチャットテンプレートを使う',
    what: 'メッセージを別系統のモデルの書式、または素のテキストとして渡す。chatとして始めた実行にだけ現れる。',
    of: 'eae3967c',
  },
  whoMadeIt: [
    {
      project: 'RusTorch',
      note: 'Investigation 004 suspects the template in the end; across the notes one "Hello" has four answers.',
    },
    {
      project: 'vllm.cpp',
      link: 'https://github.com/mudler/vllm.cpp/issues/2077',
      note: 'The template in GGUF was not read, and roles were joined by colons: answers that loop.',
    },
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/issues/7062',
      note: 'An own template with BOS in it, among other causes of bad output from Llama 3.',
    },
  ],
  params: { template: choice('the template to use', Object.keys(TEMPLATES)) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'embd',
  tokenize:
    (tokenize, _tokenizer, { template }) =>
    (text, { chat, ...options }) => {
      if (!chat) {
        throw new UsageError(
          'Cannot use a wrong chat template (fault wrong-chat-template): the prompt is no chat; wanted start(text, { chat: true })',
        );
      }
      const write = TEMPLATES[String(template)];
      const tokens = tokenize(write ? write(text) : text, options);
      if (tokens.join() !== tokenize(text, { ...options, chat }).join()) return tokens;
      throw new UsageError(
        `Cannot use a wrong chat template (fault wrong-chat-template): ${template} gives the model's own tokens; wanted another template`,
      );
    },
};
