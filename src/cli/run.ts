/** `layerscope run`: runs a notebook without Jupyter, and writes it with its outputs or as a page that needs no network. */
import { Command } from 'commander';
import type { BackendName } from '../node/backend.ts';
import { backendOption, jsonOption, printJson } from './model.ts';
import type { RanNotebook, StartCells } from './notebook_file.ts';

interface RunOptions {
  readonly out?: string;
  readonly html?: string;
  readonly backend?: BackendName;
  readonly json?: boolean;
}

export function runCommand(startCells: StartCells): Command {
  return new Command('run')
    .description('run a notebook in its folder, without Jupyter; ends with 1 at the first cell that fails')
    .argument('<notebook>', 'an .ipynb file with TypeScript cells')
    .option('--out <file>', 'write the notebook with its outputs; it may be the notebook itself')
    .option('--html <file>', 'write a page with text, code, outputs and charts, which needs no network')
    .addOption(backendOption())
    .addOption(jsonOption())
    .action((path: string, options: RunOptions) => run(startCells, path, options));
}

async function run(startCells: StartCells, path: string, { json, ...files }: RunOptions): Promise<void> {
  const { failedCell, runNotebookFile, whatWasWritten } = await import('./notebook_file.ts');
  const ran = await runNotebookFile(startCells, { path, ...files });
  if (json) printJson(report(ran));
  if (ran.failure) throw failedCell(ran, ran.failure);
  if (json) return;
  const { cells, written } = ran;
  const hint = 'Nothing was written; keep what the cells gave with --out FILE.ipynb or --html FILE.html\n';
  process.stdout.write(
    `Ran ${cells} cell${cells === 1 ? '' : 's'} of ${path}.\n${written.length > 0 ? whatWasWritten(ran) : hint}`,
  );
}

/** The failing cell by what finds it: its place, its id and its text. */
function report({ failure, ...ran }: RanNotebook) {
  if (failure === null) return { ...ran, failure };
  const { number, cell, error } = failure;
  const { ename, evalue, traceback } = error;
  return { ...ran, failure: { number, id: cell.id, source: cell.source, ename, evalue, traceback } };
}
