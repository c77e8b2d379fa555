/** What the commands share: opening a model, reading a prompt, progress and Ctrl-C. */
import { SingleBar } from 'cli-progress';
import { Option } from 'commander';
import type { Model } from '../engine/model.ts';
import type { Progress } from '../engine/run.ts';
import { DeviceError, UsageError } from '../errors.ts';
import { openModel } from '../node/index.ts';

export type BackendName = 'webgpu' | 'reference';

export const backendOption = () =>
  new Option('--backend <name>', 'where steps run').choices(['webgpu', 'reference']).default(undefined, 'webgpu');

export const jsonOption = () => new Option('--json', 'print JSON instead of text');

/**
 * Opens a model. Where no backend was asked for and there is no GPU, the f64 reference is used and said; one that was
 * asked for is never replaced.
 */
export async function openFor(path: string, backend: BackendName | undefined): Promise<Model> {
  const wanted = backend ?? process.env.LAYERSCOPE_BACKEND;
  if (wanted !== undefined && wanted !== 'webgpu' && wanted !== 'reference') {
    throw new UsageError(`Cannot use LAYERSCOPE_BACKEND=${wanted}: it must be webgpu or reference`);
  }
  try {
    return await openModel(path, { backend: wanted ?? 'webgpu' });
  } catch (error) {
    if (!(error instanceof DeviceError) || wanted !== undefined) throw error;
    process.stderr.write(`No GPU: using the f64 reference, which is slow. "npx layerscope doctor" says what to do.\n`);
    return openModel(path, { backend: 'reference' });
  }
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

/** The prompt's token ids. Throws UsageError where none of the three was given or an id is no number. */
export function promptTokens(model: Model, { prompt, chat, tokens, bos }: PromptOptions): number[] {
  const rule = bos ? {} : { bos };
  if (prompt !== undefined) return model.tokenize(prompt, rule);
  if (chat !== undefined) return model.tokenize(chat, { ...rule, chat: true });
  if (tokens === undefined) {
    throw new UsageError('Cannot run without a prompt: give --prompt TEXT, --chat TEXT or --tokens 1,2,3');
  }
  return tokens.split(',').map((text) => {
    if (/^\s*\d+\s*$/.test(text)) return Number(text);
    throw new UsageError(`Cannot read --tokens ${tokens}: "${text}" is not a token id; write 1,2,3`);
  });
}

/** A bar on stderr while work goes on, at a terminal only; and a signal that Ctrl-C fires. */
export async function withProgress<T>(
  label: string,
  work: (move: { signal: AbortSignal; onProgress: (progress: Progress) => void }) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort();
  process.once('SIGINT', interrupt);
  const bar = new SingleBar({
    format: `${label} {bar} {value}/{total} {step} {eta_formatted}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  });
  let isShown = false;
  const onProgress = ({ done, total, step }: Progress) => {
    if (!process.stderr.isTTY) return;
    if (!isShown) bar.start(total, 0, { step });
    isShown = true;
    bar.setTotal(total);
    bar.update(done, { step });
  };
  try {
    return await work({ signal: controller.signal, onProgress });
  } finally {
    if (isShown) bar.stop();
    process.removeListener('SIGINT', interrupt);
  }
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
