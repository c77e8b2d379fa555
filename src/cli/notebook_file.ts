/** Notebook files run from the command line: read, run in their own folder, written as a notebook and as a page. */
import { basename, dirname, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import prettyBytes from 'pretty-bytes';
import { NotebookError, UsageError } from '../errors.ts';
import type { BackendName } from '../node/backend.ts';
import type { Cells, CellsOptions } from '../notebook/cells.ts';
import { notebookHtml } from '../notebook/ipynb/html.ts';
import { firstLine } from '../notebook/ipynb/notebook.ts';
import { readNotebook } from '../notebook/ipynb/read.ts';
import { type CellFailure, cellName, type NotebookRun, runNotebook } from '../notebook/ipynb/run.ts';
import { writeNotebook } from '../notebook/ipynb/write.ts';
import { cut, visible, visibleLines } from '../trace/plain_text.ts';
import { isSameFile, mustBeWritable, type WrittenFile, writeText } from './output_file.ts';
import { withBar } from './progress.ts';

/** Makes the cells that a notebook runs in. What it starts must end with this process, however that ends. */
export type StartCells = (options: CellsOptions) => Promise<Cells>;

export interface NotebookFiles {
  /** The notebook to run. */
  readonly path: string;
  /** Where the notebook with its outputs goes; nowhere if it is not given. */
  readonly out?: string;
  /** Where the page goes; nowhere if it is not given. */
  readonly html?: string;
  /** Where models run that cells open without a word on it. */
  readonly backend?: BackendName | undefined;
}

export interface RanNotebook {
  readonly notebook: string;
  /** How many cells ran. */
  readonly cells: number;
  /** What was written, whether all cells went well or not. */
  readonly written: readonly WrittenFile[];
  readonly failure: CellFailure | null;
}

/**
 * Runs a notebook and writes what was asked for, with the outputs so far where a cell fails.
 *
 * @throws UsageError where a file would be written over another; what reading, running and writing throw
 */
export async function runNotebookFile(startCells: StartCells, files: NotebookFiles): Promise<RanNotebook> {
  const { path, out, html, backend } = files;
  await mustDiffer(files);
  const notebook = await readNotebook(path);
  for (const target of [out, html]) if (target !== undefined) await mustBeWritable(target);
  const folder = dirname(resolve(path));
  const cells = await startCells({ cwd: folder, backend });
  let run: NotebookRun;
  try {
    run = await withBar((bar) =>
      runNotebook(notebook, {
        path,
        folder,
        cells,
        onProgress: ({ cell, done, total }) =>
          bar?.({ task: 'running', item: cut(firstLine(cell), 40), done, total, unit: 'cells' }),
      }),
    );
  } finally {
    await cells.close();
  }
  const written: WrittenFile[] = [];
  if (out !== undefined) written.push({ path: out, bytes: await writeNotebook(out, run.notebook) });
  if (html !== undefined) {
    written.push(await writeText(html, await notebookHtml(run.notebook, { name: basename(path), folder })));
  }
  return { notebook: path, cells: run.executed, written, failure: run.failure };
}

/** One line per file. */
export function whatWasWritten({ written }: RanNotebook): string {
  return written.map(({ path, bytes }) => `Wrote ${path}, ${prettyBytes(bytes)}.\n`).join('');
}

/** The failure as an error to end with: the cell, what it threw and where, and what was written all the same. */
export function failedCell({ notebook, written }: RanNotebook, { number, cell, error }: CellFailure): NotebookError {
  const traceback = visibleLines(stripVTControlCharacters(error.traceback.join('\n')));
  const kept = written.map(({ path }) => path).join(' and ');
  const end = kept === '' ? '' : `\nThe outputs up to there are in ${kept}`;
  return new NotebookError(
    `Cannot run ${notebook}: ${visible(cellName(number, cell))} failed with ${visible(error.ename)}\n${traceback}${end}`,
    { file: notebook },
  );
}

/** The notebook itself is written over only by the notebook with its outputs, and only where it is named again. */
async function mustDiffer({ path, out, html }: NotebookFiles): Promise<void> {
  if (html === undefined) return;
  if (await isSameFile(html, path)) {
    throw new UsageError(`Cannot write ${html}: it is the notebook itself; give --html another name`);
  }
  if (out !== undefined && (await isSameFile(html, out))) {
    throw new UsageError(`Cannot write ${html}: --out and --html are the same file; give each its own name`);
  }
}
