/** What the commands share: opening a model, finding the shipped one, reading a prompt, choosing tensors, printing JSON. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, Option } from 'commander';
import type { Model, OpenOptions } from '../engine/model.ts';
import { DeviceError, LayerscopeError, UsageError } from '../errors.ts';
import { type BackendName, backendOfEnvironment } from '../node/backend.ts';

export const MODEL_ARGUMENT = 'a GGUF file, or a name that "layerscope models" lists';

export const backendOption = () =>
  new Option('--backend <name>', 'where steps run: on the GPU, or slowly in f64 on the CPU')
    .choices(['webgpu', 'reference'])
    .default(undefined, 'webgpu');

export const jsonOption = () => new Option('--json', 'print JSON instead of text');

/**
 * Opens a model. Where no backend was asked for and there is no GPU, the f64 reference is used and said; one that was
 * asked for is never replaced.
 */
export async function openFor(path: string, backend: BackendName | undefined): Promise<Model> {
  const wanted = backend ?? backendOfEnvironment();
  if (wanted === 'reference') return openModel(path, { backend: 'reference' });
  try {
    return await openModel(path, { backend: 'webgpu' });
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    if (wanted === 'webgpu') throw inWordsOfTheCommandLine(error);
    const [reason] = error.message.replace(/^Cannot [^:]*: /, '').split(';');
    process.stderr.write(
      `No GPU (${reason}): running on the f64 reference, which is slow; "npx layerscope doctor" says what to do\n`,
    );
    return openModel(path, { backend: 'reference' });
  }
}

/** The API's cure for a missing GPU is an argument of openModel; here it is an option. */
function inWordsOfTheCommandLine(error: DeviceError): DeviceError {
  const text = error.message.replace("openModel(path, { backend: 'reference' })", '--backend reference');
  return new DeviceError(text, { cause: error });
}

/** `openModel`, with the engine loaded only now: a wrong call, `--help` and `models` answer without it, in a third of the time. */
export async function openModel(path: string, options: OpenOptions): Promise<Model> {
  const node = await import('../node/index.ts');
  return node.openModel(path, options);
}

/** The F16 model in fixtures, beside this package. */
export function shippedModel(): string {
  const folder = fileURLToPath(new URL('../../fixtures/', import.meta.url));
  const file = existsSync(folder) && readdirSync(folder).find((name) => name.endsWith('-f16.gguf'));
  if (!file) {
    throw new LayerscopeError(
      `Cannot find the shipped model: ${folder} has no *-f16.gguf; it comes with layerscope, so install that again`,
    );
  }
  return join(folder, file);
}

export interface PromptOptions {
  readonly prompt?: string;
  readonly chat?: string;
  readonly tokens?: string;
  /** commander's form of --no-bos. */
  readonly bos: boolean;
}

export const promptOptions = () => [
  new Option('--prompt <text>', 'run this text').conflicts(['chat', 'tokens']),
  new Option('--chat <text>', "put this text into the model's chat template").conflicts(['prompt', 'tokens']),
  new Option('--tokens <ids>', 'run these token ids: 1,2,3').conflicts(['prompt', 'chat']),
  new Option('--no-bos', 'do not begin with BOS'),
];

/** A prompt as a run takes it: its token ids, and what the manifest tells of where they came from. */
export interface Prompt {
  readonly tokens: readonly number[];
  readonly origin: { readonly prompt?: string; readonly chat?: boolean };
}

/** Reads the prompt. Throws UsageError where none of the three was given or one cannot be read. */
export function promptOf(model: Model, { prompt, chat, tokens, bos }: PromptOptions): Prompt {
  if (tokens !== undefined) return { tokens: tokenIds(tokens), origin: {} };
  const text = prompt ?? chat;
  if (text === undefined) {
    throw new UsageError('Cannot run without a prompt: give --prompt TEXT, --chat TEXT or --tokens 1,2,3');
  }
  if (text === '') {
    throw new UsageError(`Cannot run ${model.name}: the prompt is empty; give some text, or token ids with --tokens`);
  }
  const isChat = chat !== undefined;
  const ids = model.tokenize(readableText(text), { ...(bos ? {} : { bos }), chat: isChat });
  return { tokens: ids, origin: { prompt: text, chat: isChat } };
}

/** The same options again, for a command to copy. */
export function promptArguments({ prompt, chat, tokens, bos }: PromptOptions): string[] {
  const given = Object.entries({ prompt, chat, tokens }).flatMap(([name, text]) =>
    text === undefined ? [] : [`--${name}`, text],
  );
  return bos ? given : [...given, '--no-bos'];
}

/** Node reads arguments as UTF-8 and puts U+FFFD where they are not; a prompt that was changed so must not pass for it. */
export function readableText(text: string): string {
  if (!text.includes('\ufffd')) return text;
  throw new UsageError(
    'Cannot read the text: it has bytes that are not UTF-8, or U+FFFD, which stands for such; give UTF-8, or ids with --tokens',
  );
}

function tokenIds(list: string): number[] {
  return list.split(',').map((text) => {
    if (/^\s*\d+\s*$/.test(text)) return Number(text);
    throw new UsageError(`Cannot read --tokens ${list}: "${text}" is not a token id; write 1,2,3`);
  });
}

/** Reads the number of an option. */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
