/**
 * Chat templates: the model's own Jinja text (`tokenizer.chat_template`) turns messages into the prompt it was trained on.
 * Rendered by @huggingface/jinja with what Hugging Face's apply_chat_template supplies: messages, add_generation_prompt,
 * bos_token, eos_token, raise_exception, and strftime_now where a date is given.
 */

import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
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
  const supplied = { messages, add_generation_prompt: addGenerationPrompt, bos_token: bos, eos_token: eos };
  try {
    return render(source, { ...GLOBALS, ...dateVariables(date), ...supplied, ...variables });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError(
      `Cannot apply the chat template of ${file}: ${why}; give messages that it accepts, or the prompt as plain text`,
      { file, cause },
    );
  }
}

/** With the whitespace rules of apply_chat_template. Not the library's `Template`: its strftime_now reads the clock. */
function render(source: string, variables: Readonly<Record<string, unknown>>): string {
  const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  const environment = new Environment();
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  return String(new Interpreter(environment).run(program).value);
}

const refuse = (reason: string): never => {
  throw new Error(reason);
};

/** Python's range. */
function range(...of: number[]): number[] {
  const [start = 0, stop = 0, step = 1] = of.length === 1 ? [0, ...of] : of;
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (step === 0 || length > MAX_RANGE) refuse(`it asks for range(${of.join(', ')})`);
  return Array.from({ length }, (_, i) => start + i * step);
}

/** More than any template counts, and little enough for memory. */
const MAX_RANGE = 1 << 20;

const GLOBALS = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
  range,
  raise_exception: refuse,
};

/** Without a date strftime_now is undefined, and templates write the date that they hold as a default. */
const dateVariables = (date: Date | undefined) =>
  date === undefined ? {} : { strftime_now: (format: string) => strftime(date, format) };

/**
 * Tokens of a chat prompt: special tokens are read as such, and BOS comes first where the model asks for it, but no second
 * time where the template has written it.
 */
export function encodeChat(tokenizer: Tokenizer, prompt: string): number[] {
  const ids = tokenizer.encode(prompt, { bos: false });
  const { bos, addBos } = tokenizer;
  return addBos && bos !== undefined && ids[0] !== bos ? [bos, ...ids] : ids;
}

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
