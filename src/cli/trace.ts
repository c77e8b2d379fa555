/** `layerscope trace`: every tensor of a prompt, as statistics on the screen or with its values in an Arrow file. */
import { join } from 'node:path';
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { BackendName } from '../node/backend.ts';
import { STATISTICS_ALIGN, statisticsTable } from '../notebook/display/trace.ts';
import { table } from '../trace/plain_text.ts';
import type { TraceRow } from '../trace/trace.ts';
import {
  backendOption,
  jsonOption,
  MODEL_ARGUMENT,
  openFor,
  type PromptOptions,
  printJson,
  promptArguments,
  promptOf,
  promptOptions,
} from './model.ts';
import { withBar } from './progress.ts';
import { commandLine, shownPath } from './terminal.ts';

interface TraceOptions extends PromptOptions {
  readonly select: string;
  readonly out?: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function traceCommand(): Command {
  const command = new Command('trace')
    .description('run a prompt and show the statistics of every tensor; with --out, write their values')
    .argument('<model>', MODEL_ARGUMENT);
  for (const option of promptOptions()) command.addOption(option);
  return command
    .option(
      '--select <globs>',
      "which tensors: 'l_out-*', 'blocks.*.hook_resid_post', '!kq*'; names of any kind",
      'all',
    )
    .option('--out <file>', 'write an Arrow file: every tensor, with the values of those selected')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action(trace);
}

async function trace(path: string, options: TraceOptions): Promise<void> {
  const model = await openFor(path, options.backend);
  const prompt = promptOf(model, options);
  const { select, out, json } = options;
  const chosen = model.names.select(select);
  if (out !== undefined) {
    const { writeRunning } = await import('./trace_file.ts');
    const written = await writeRunning(model, prompt, select, out);
    if (json) return printJson(written);
    const { bytes, tensors, values } = written;
    const what = `${tensors} tensors${values === tensors ? '' : `, ${values} of them with values`}`;
    process.stdout.write(`Wrote ${out}: ${what}, ${prettyBytes(bytes)}.\n${howToRead(out)}\n`);
    return;
  }
  const started = model.start(prompt.tokens, { ...prompt.origin, select: 'none' });
  const run = await withBar((onProgress) => started.toEnd({ onProgress }));
  const rows = run.trace.entries.filter(({ name }) => chosen.has(name));
  if (json) return printJson({ manifest: run.trace.manifest, tensors: rows.map(plain) });
  const more = [...promptArguments(options), '--select', select, '--out', join('out', 'trace.arrow')];
  const next = `Values too: ${commandLine('trace', shownPath(path), ...more)}`;
  process.stdout.write(`${statisticsText(rows)}\n\n${next}\n`);
}

/** An Arrow file needs no more than its name, in any of these. */
export function howToRead(path: string): string {
  return `It opens in pyarrow, polars and DuckDB; in a cell: await readArrow(${JSON.stringify(path)})`;
}

function plain({ name, hook, hf, pass, layer, op, shape, dims, statistics }: TraceRow) {
  return { name, hook, hf, pass, layer, op, shape, dims, ...statistics };
}

function statisticsText(entries: readonly TraceRow[]): string {
  const { head, rows } = statisticsTable(entries);
  return table([head, ...rows], STATISTICS_ALIGN);
}
