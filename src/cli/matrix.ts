/** `layerscope matrix`: which fault shows in which prompt and by which evidence, tried out on a model. */
import { Command, Option } from 'commander';
import type { BackendName } from '../node/backend.ts';
import { visibleLines } from '../trace/plain_text.ts';
import { backendOption, jsonOption, MODEL_ARGUMENT, openFor, printJson } from './model.ts';
import { withBar } from './progress.ts';

interface MatrixOptions {
  readonly fault?: readonly string[];
  readonly also: readonly string[];
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function matrixCommand(): Command {
  return new Command('matrix')
    .description('put every fault into a model and tell which prompts and which evidence show it')
    .argument('<model>', MODEL_ARGUMENT)
    .addOption(new Option('--fault <names...>', 'these alone, of those that "layerscope faults" lists'))
    .addOption(new Option('--also <models...>', 'models for faults that the first cannot have').default([], 'none'))
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(matrix);
}

async function matrix(path: string, { fault, also, backend, json }: MatrixOptions): Promise<void> {
  const model = await openFor(path, backend);
  const others = await Promise.all(also.map((other) => openFor(other, backend)));
  const { detectionMatrix } = await import('../compare/detection_matrix.ts');
  const { detectionText } = await import('../compare/detection_text.ts');
  const made = await withBar((onProgress) =>
    detectionMatrix(model, { ...(fault ? { faults: fault } : {}), others, onProgress }),
  );
  if (json) printJson(made);
  else process.stdout.write(visibleLines(detectionText(made)));
}
