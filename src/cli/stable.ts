/** `layerscope stable`: whether repeated runs are the same, and the first tensor that is not. */
import { Command, Option } from 'commander';
import { UsageError } from '../errors.ts';
import type { BackendName } from '../node/backend.ts';
import { visibleLines } from '../trace/plain_text.ts';
import { isDump, openDumps } from './dumps.ts';
import {
  backendOption,
  jsonOption,
  number,
  openFor,
  type PromptOptions,
  printJson,
  promptOf,
  promptOptions,
} from './model.ts';
import { withBar } from './progress.ts';

interface StableOptions extends PromptOptions {
  readonly runs: number;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function stableCommand(): Command {
  const command = new Command('stable')
    .description('tell whether runs are the same, and name the first tensor that is not; exit 1 where there is one')
    .argument('<paths...>', 'dumps of the same run, two or more; or a GGUF file or the name of a model, which is run')
    .addOption(new Option('--runs <number>', 'how often a model is run').argParser(number).default(3));
  for (const option of promptOptions()) command.addOption(option);
  return command.addOption(backendOption()).addOption(jsonOption()).action(stable);
}

function stable(paths: readonly string[], options: StableOptions): Promise<void> {
  return paths.length === 1 ? stableModel(paths[0] as string, options) : stableDumps(paths, options);
}

async function stableDumps(paths: readonly string[], { json }: StableOptions): Promise<void> {
  const { firstUnstable } = await import('../compare/determinism.ts');
  const { stabilityText } = await import('../compare/stability_text.ts');
  const found = await firstUnstable(await openDumps(paths));
  if (json) printJson(found);
  else process.stdout.write(visibleLines(stabilityText(found)));
  process.exitCode = found.tensors === 0 ? 2 : found.isStable ? 0 : 1;
}

async function stableModel(path: string, options: StableOptions): Promise<void> {
  if (await isDump(path))
    throw new UsageError(`Cannot compare ${path} with nothing: give two dumps or more of the same run`);
  const { determinism } = await import('../compare/determinism.ts');
  const { findStale } = await import('../compare/stale.ts');
  const { stabilityText, staleText } = await import('../compare/stability_text.ts');
  const { runs, json } = options;
  const model = await openFor(path, options.backend);
  const { tokens } = promptOf(model, options);
  const stability = await withBar((onProgress) => determinism(model, tokens, { runs, onProgress }));
  // The reference makes new memory for every value, so there is no stale one.
  const stale =
    model.backend.name === 'webgpu' ? await withBar((onProgress) => findStale(model, tokens, { onProgress })) : null;
  if (json) printJson({ stability, stale });
  else process.stdout.write(stabilityText(stability) + (stale ? staleText(stale) : ''));
  process.exitCode = stability.isStable && !stale?.unwritten && !stale?.reader ? 0 : 1;
}
