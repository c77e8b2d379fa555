/**
 * Cells that were edited and not saved, kept in the browser's storage until they are: a page that was closed, a browser that
 * died or a server that never came back loses none. Outputs are not kept: they can be made again, and storage is small.
 */
import type { ICell, INotebookContent } from '@jupyterlab/nbformat';

export interface Unsaved {
  /** When it was kept, in ms since 1970. */
  readonly time: number;
  readonly cells: readonly ICell[];
}

const keyOf = (path: string): string => `layerscope.unsaved:${path}`;

/** Throws DOMException where the browser has no room left. */
export function keepUnsaved(path: string, { cells }: INotebookContent): void {
  const unsaved: Unsaved = { time: Date.now(), cells: cells.map(withoutOutputs) };
  localStorage.setItem(keyOf(path), JSON.stringify(unsaved));
}

export function forgetUnsaved(path: string): void {
  localStorage.removeItem(keyOf(path));
}

/** What was kept of this notebook, where it is not what the notebook holds anyway. */
export function unsavedCells(path: string, { cells }: INotebookContent): Unsaved | null {
  const text = localStorage.getItem(keyOf(path));
  if (text === null) return null;
  const unsaved = JSON.parse(text) as Unsaved;
  const sources = (of: readonly ICell[]) => JSON.stringify(of.map(({ cell_type, source }) => [cell_type, source]));
  return sources(unsaved.cells) === sources(cells) ? null : unsaved;
}

/** The notebook with the cells that were kept; a cell that did not change has its outputs still. */
export function withUnsaved(notebook: INotebookContent, { cells }: Unsaved): INotebookContent {
  const before = new Map(notebook.cells.map((cell) => [cell.id, cell]));
  const restored = cells.map((cell) => {
    const old = before.get(cell.id);
    return old?.cell_type === cell.cell_type && old.source === cell.source ? old : cell;
  });
  return { ...notebook, cells: restored };
}

function withoutOutputs(cell: ICell): ICell {
  return cell.cell_type === 'code' ? { ...cell, outputs: [], execution_count: null } : cell;
}
