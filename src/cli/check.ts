/** `layerscope check`: what can be said of a model, or of a dump of another engine, without a reference. */
import { Command, Option } from 'commander';
import type { CheckReport } from '../compare/checks/check.ts';
import type { Model } from '../engine/model.ts';
import { UsageError } from '../errors.ts';
import type { BackendName } from '../node/backend.ts';
import { visibleLines } from '../trace/plain_text.ts';
import { isDump, openDumps } from './dumps.ts';
import {
  backendOption,
  jsonOption,
  openFor,
  openModel,
  type PromptOptions,
  printJson,
  promptOf,
  promptOptions,
} from './model.ts';
import { withBar } from './progress.ts';

interface CheckOptions extends PromptOptions {
  readonly model?: string;
  readonly details?: boolean;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function checkCommand(): Command {
  const command = new Command('check')
    .description('check that the numbers of a model, or of a dump, fit each other; exit 1 where a check fails')
    .argument('<paths...>', 'a GGUF file or the name of a model; or dumps of one engine')
    .addOption(new Option('--model <model>', 'the model that the dumps are of; some checks need it'));
  for (const option of promptOptions()) command.addOption(option);
  return command
    .option('--details', 'say of checks that pass, too, what they prove and what they cannot')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(check);
}

async function check(paths: readonly string[], options: CheckOptions): Promise<void> {
  const report = await reportOf(paths, options);
  const { checkText } = await import('../compare/checks/check_text.ts');
  if (options.json) printJson(report);
  else process.stdout.write(visibleLines(checkText(report, { details: options.details ?? false })));
  process.exitCode = EXIT_CODES[report.outcome];
}

/** Where nothing could be checked, the call was of no use. */
const EXIT_CODES: Readonly<Record<CheckReport['outcome'], number>> = { passed: 0, failed: 1, 'could not': 2 };

async function reportOf(paths: readonly string[], options: CheckOptions): Promise<CheckReport> {
  const [path] = paths as [string];
  if (options.model === undefined && !(await isDump(path))) {
    if (paths.length > 1) {
      throw new UsageError(
        `Cannot check ${paths.join(' ')}: one model is checked at a time; of dumps, say whose with --model`,
      );
    }
    return reportOfModel(path, options);
  }
  // A dump is looked at on the CPU: a check computes a row or two.
  const model = options.model === undefined ? undefined : await openModel(options.model, { backend: 'reference' });
  const tokens = model && givenTokens(model, options);
  const traces = await openDumps(paths, { ...(model ? { model } : {}), ...(tokens ? { tokens } : {}) });
  const { checkTrace } = await import('../compare/checks/check_trace.ts');
  return withBar((onProgress) =>
    checkTrace(traces, { ...(model ? { model } : {}), label: paths.join(' '), onProgress }),
  );
}

async function reportOfModel(path: string, options: CheckOptions): Promise<CheckReport> {
  const model = await openFor(path, options.backend);
  const tokens = givenTokens(model, options);
  const { checkModel } = await import('../compare/checks/check_model.ts');
  return withBar((onProgress) => checkModel(model, { ...(tokens ? { tokens } : {}), onProgress }));
}

function givenTokens(model: Model, options: PromptOptions): readonly number[] | undefined {
  const { prompt, chat, tokens } = options;
  return (prompt ?? chat ?? tokens) === undefined ? undefined : promptOf(model, options).tokens;
}
