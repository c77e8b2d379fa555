/** `layerscope trace`: every tensor of a prompt, as statistics on the screen or with its values in an Arrow file. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { TraceError } from '../errors.ts';
import { freeSpace, writeArrowFile } from '../node/arrow_file.ts';
import { arrowBytes } from '../trace/arrow_writer.ts';
import type { TraceRow } from '../trace/trace.ts';
import {
  type BackendName,
  backendOption,
  jsonOption,
  openFor,
  type PromptOptions,
  printJson,
  promptOptions,
  promptTokens,
  withProgress,
} from './model.ts';
import { short, table } from './table.ts';

/** Files above this are announced before they are written. */
const LARGE_BYTES = 1e9;

interface TraceOptions extends PromptOptions {
  readonly select?: string;
  readonly out?: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function traceCommand(): Command {
  const command = new Command('trace')
    .description('run a prompt and show the statistics of every tensor; with --out, write their values')
    .argument('<model>', 'a GGUF file, or ollama:NAME')
    .option('--select <globs>', 'which tensors: l_out-*, blocks.*.hook_resid_post, !kq*; names of any kind')
    .option('--out <file>', 'write an Arrow file, with all values unless --select says otherwise')
    .addOption(backendOption())
    .addOption(jsonOption());
  for (const option of promptOptions()) command.addOption(option);
  return command.action(trace);
}

async function trace(path: string, options: TraceOptions): Promise<void> {
  const model = await openFor(path, options.backend);
  const tokens = promptTokens(model, options);
  const { select = 'all', out, json } = options;
  if (out) {
    const bytes = await writeTrace(model, tokens, select, out);
    const { tensors } = model.traceSize(tokens, select);
    if (json) printJson({ path: out, bytes, tensors, manifest: model.manifest(tokens) });
    else process.stdout.write(`Wrote ${out}: ${tensors} tensors, ${prettyBytes(bytes)}.\n`);
    return;
  }
  const run = model.start(tokens, { select: 'none' });
  await withProgress('steps', (move) => run.toEnd(move));
  const rows = run.trace.select(select);
  if (json) printJson({ manifest: run.trace.manifest, tensors: rows.map(plain) });
  else process.stdout.write(`${statisticsTable(rows)}\n`);
}

/** Streams a trace into a file; memory holds a layer. Refuses before the first byte where the disk has too little room. */
async function writeTrace(model: Model, tokens: readonly number[], select: string, out: string): Promise<number> {
  const { tensors, values } = model.traceSize(tokens, select);
  const expected = arrowBytes(tensors, values);
  const free = await freeSpace(out);
  if (expected > LARGE_BYTES || expected > free) {
    process.stderr.write(`${out} will take about ${prettyBytes(expected)}; ${prettyBytes(free)} are free.\n`);
  }
  if (expected > free) {
    throw new TraceError(
      `Cannot write ${out}: the disk has too little room; keep fewer values with --select, or write elsewhere`,
      {
        file: out,
      },
    );
  }
  await model.sha256();
  return writeArrowFile(out, model.manifest(tokens), async (sink) => {
    const run = model.start(tokens, { select, sink });
    await withProgress('steps', (move) => run.toEnd(move));
    return run.trace.end;
  });
}

/** Writes what a finished run keeps. Makes the folder where it is missing. */
export async function writeWholeTrace(
  run: Run,
  path: string,
): Promise<{ path: string; tensors: number; size: string }> {
  await mkdir(dirname(path), { recursive: true }).catch((cause) => {
    throw new TraceError(
      `Cannot write ${path}: ${dirname(path)} cannot be made (${cause.code}); write elsewhere with --out`,
      {
        file: path,
        cause,
      },
    );
  });
  await run.model.sha256();
  const bytes = await writeArrowFile(path, run.trace.manifest, (sink) => run.trace.writeTo(sink));
  return { path, tensors: run.trace.entries.length, size: prettyBytes(bytes) };
}

function plain({ name, pass, layer, op, shape, statistics }: TraceRow) {
  return { name, pass, layer, op, shape, ...statistics };
}

function statisticsTable(rows: readonly TraceRow[]): string {
  const head = ['tensor', 'shape', 'rms', 'mean', 'min', 'max', 'NaN', 'Inf'];
  const lines = rows.map(({ name, shape, statistics }) => [
    name,
    `[${shape.join(', ')}]`,
    ...[statistics.rms, statistics.mean, statistics.min, statistics.max].map(short),
    ...[statistics.nanCount, statistics.infCount].map((count) => (count === 0 ? '·' : `${count}`)),
  ]);
  return table([head, ...lines], ['left', 'left', ...Array<'right'>(6).fill('right')]);
}
