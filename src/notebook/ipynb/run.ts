/** Runs a notebook's cells in order without a front end, as nbclient does, and stops at the first one that fails. */
import { homedir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { InterruptedError, NotebookError } from '../../errors.ts';
import type { CellReply, Cells, ErrorOutput } from '../cells.ts';
import { DISPLAY_NAME, LANGUAGE_INFO } from '../kernelspec.ts';
import { hideFolders, withoutFolders } from './folders.ts';
import { type Cell, type CodeCell, firstLine, hasTag, type Metadata, type Notebook } from './notebook.ts';
import { type CellCollector, OutputCollector } from './outputs.ts';

export interface NotebookProgress {
  /** The cell that begins. */
  readonly cell: CodeCell;
  /** Cells that are done, of those that are to run. */
  readonly done: number;
  readonly total: number;
}

export interface RunNotebookOptions {
  /** The notebook's path, for messages. */
  readonly path: string;
  /** The absolute path of the folder that cells work in; error messages leave it out. */
  readonly folder: string;
  /** Where the cells run, freshly started. */
  readonly cells: Cells;
  readonly onProgress?: (progress: NotebookProgress) => void;
  readonly signal?: AbortSignal;
}

export interface CellFailure {
  /** The cell's place in the notebook, from 1, counting cells of every kind. */
  readonly number: number;
  readonly cell: CodeCell;
  readonly error: ErrorOutput;
}

export interface NotebookRun {
  /** The notebook with its new outputs; cells that were not reached have none. */
  readonly notebook: Notebook;
  /** How many cells ran, a failing one included. */
  readonly executed: number;
  /** The cell that ended the run; null where all went well. */
  readonly failure: CellFailure | null;
}

/**
 * Runs all code cells. Those that are empty or tagged `skip-execution` stay as they are; one tagged `raises-exception` may
 * fail, and the run goes on.
 *
 * @throws NotebookError where the kernel's language is another; InterruptedError where `signal` stopped it
 */
export async function runNotebook(notebook: Notebook, options: RunNotebookOptions): Promise<NotebookRun> {
  const { path, folder, cells, onProgress, signal } = options;
  checkLanguage(notebook.metadata, path);
  const hide = hideFolders({ [folder]: '', [PACKAGE_FOLDER]: 'layerscope/', [homedir()]: '~/' });
  const collector = new OutputCollector(hide);
  const queue = notebook.cells.filter(isToRun);
  const executed = new Map<Cell, Executed>();
  let failure: CellFailure | null = null;
  for (const cell of queue) {
    const number = notebook.cells.indexOf(cell) + 1;
    const stopped = () => new InterruptedError(`Cannot finish ${path}: it was stopped at ${cellName(number, cell)}`);
    if (signal?.aborted) throw stopped();
    onProgress?.({ cell, done: executed.size, total: queue.length });
    const collected = collector.cell();
    const reply = await interruptible(cells, signal, () => cells.execute(cell.source, collected.take));
    executed.set(cell, { collected, reply });
    if (reply.error === null || hasTag(cell, 'raises-exception')) continue;
    if (signal?.aborted) throw stopped();
    failure = { number, cell, error: withoutFolders(reply.error, hide) };
    break;
  }
  const finished = notebook.cells.map((cell) => (isToRun(cell) ? withResults(cell, executed.get(cell)) : cell));
  return { notebook: { ...notebook, cells: finished }, executed: executed.size, failure };
}

/** A cell as messages name it: its place, and its first line. */
export function cellName(number: number, cell: Cell): string {
  const line = firstLine(cell);
  return `cell ${number} (${line.length > 60 ? `${line.slice(0, 59)}…` : line})`;
}

/** Where this package lies; src/ and dist/ are equally deep in it. */
const PACKAGE_FOLDER = fileURLToPath(new URL('../../../', import.meta.url));

interface Executed {
  readonly collected: CellCollector;
  readonly reply: CellReply;
}

function isToRun(cell: Cell): cell is CodeCell {
  return cell.type === 'code' && cell.source.trim() !== '' && !hasTag(cell, 'skip-execution');
}

/** Runs a cell; when the signal comes, the cell is interrupted and then ends by itself. */
async function interruptible(cells: Cells, signal: AbortSignal | undefined, run: () => Promise<CellReply>) {
  const interrupt = () => void cells.interrupt();
  signal?.addEventListener('abort', interrupt, { once: true });
  try {
    return await run();
  } finally {
    signal?.removeEventListener('abort', interrupt);
  }
}

/** The old outputs are gone whether the cell was reached or not, and so are the times that Jupyter noted of them. */
function withResults(cell: CodeCell, executed: Executed | undefined): CodeCell {
  const { execution: _, ...metadata } = cell.metadata;
  const { collected, reply } = executed ?? {};
  return { ...cell, metadata, outputs: collected?.outputs ?? [], executionCount: reply?.executionCount ?? null };
}

/** The kernel's language, where the notebook says one. */
function checkLanguage({ kernelspec, language_info: info }: Metadata, path: string): void {
  const said = [kernelspec, info].map((each) => (each ?? {}) as { language?: unknown; name?: unknown });
  const language = said[0]?.language ?? said[1]?.name ?? LANGUAGE_INFO.name;
  if (`${language}`.toLowerCase() === LANGUAGE_INFO.name) return;
  throw new NotebookError(
    `Cannot run ${path}: unknown kernel language ${JSON.stringify(language)}; cells must be TypeScript: ` +
      `choose the kernel "${DISPLAY_NAME}" for it in Jupyter`,
    { file: path },
  );
}
