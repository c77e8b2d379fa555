/**
 * Chat templates: the model's own Jinja text (`tokenizer.chat_template`) turns messages into the prompt it was trained on.
 * Rendered by @huggingface/jinja with what Hugging Face's apply_chat_template supplies: messages, add_generation_prompt,
 * bos_token, eos_token, raise_exception, and strftime_now where a date is given.
 */

import { Template } from '@huggingface/jinja';
import { TokenizerError } from '../errors.ts';
import type { Tokenizer } from './tokenizer.ts';
import { type Metadata, readBosEosTexts } from './vocab.ts';

export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** End where the assistant is to begin. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Today, for templates that write it; in UTC. Without it they write what they hold as a default. */
  readonly date?: Date;
  /** More variables for the template, such as `tools` or `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

const KEY = 'tokenizer.chat_template';

/** The Jinja text of a model's chat template. Throws TokenizerError where it has none. */
export function chatTemplate(metadata: Metadata, file: string): string {
  const source = metadata.get(KEY);
  if (typeof source === 'string' && source !== '') return source;
  throw new TokenizerError(
    `Cannot make a chat prompt for ${file}: ${source ? `its ${KEY} is not a string` : `it has no ${KEY}`}; ` +
      'give the prompt as plain text, or use a chat model',
    { file },
  );
}

/**
 * The prompt that a model's chat template makes of messages, as text; `encodeChat` makes tokens of it.
 *
 * @throws TokenizerError where the model has no template, or the template refuses the messages
 */
export function applyChat(
  metadata: Metadata,
  file: string,
  messages: readonly ChatMessage[],
  options: ChatOptions = {},
): string {
  const { addGenerationPrompt = true, date, variables = {} } = options;
  const source = chatTemplate(metadata, file);
  const { bos, eos } = readBosEosTexts(metadata, file);
  try {
    return new Template(source).render({
      bos_token: bos,
      eos_token: eos,
      raise_exception: refuse,
      // Without a date it is undefined, which hides the one of the library that reads the clock.
      strftime_now: date && ((format: string) => strftime(date, format)),
      ...variables,
      messages,
      add_generation_prompt: addGenerationPrompt,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError(
      `Cannot apply the chat template of ${file}: ${why}; give messages that it accepts, or the prompt as plain text`,
      { file, cause },
    );
  }
}

/**
 * Tokens of a chat prompt: special tokens are read as such, and BOS comes first where the model asks for it, but no second
 * time where the template has written it.
 */
export function encodeChat(tokenizer: Tokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt, { bos: false });
  const { bos, addBos } = tokenizer;
  return addBos && bos !== undefined && ids[0] !== bos ? [bos, ...ids] : ids;
}

const refuse = (reason: string): never => {
  throw new Error(reason);
};

const MONTHS = 'January February March April May June July August September October November December'.split(' ');
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** Python's strftime in English and UTC, for the directives that chat templates use. */
function strftime(date: Date, format: string): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const month = MONTHS[date.getUTCMonth()] ?? '';
  const day = DAYS[date.getUTCDay()] ?? '';
  const values: Readonly<Record<string, string>> = {
    '%Y': String(date.getUTCFullYear()),
    '%y': two(date.getUTCFullYear() % 100),
    '%m': two(date.getUTCMonth() + 1),
    '%B': month,
    '%b': month.slice(0, 3),
    '%d': two(date.getUTCDate()),
    '%A': day,
    '%a': day.slice(0, 3),
    '%H': two(date.getUTCHours()),
    '%M': two(date.getUTCMinutes()),
    '%S': two(date.getUTCSeconds()),
    '%%': '%',
  };
  return format.replace(/%./gs, (directive) => {
    const value = values[directive];
    return value ?? refuse(`it writes a date with ${directive}, which is none of ${Object.keys(values).join(' ')}`);
  });
}
