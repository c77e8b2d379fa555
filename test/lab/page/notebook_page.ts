/** Notebooks for the lab's tests, and where things are in the page that shows them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

export const codeCell = (source: string) => ({ cell_type: 'code', execution_count: null, outputs: [], source });
export const markdownCell = (source: string) => ({ cell_type: 'markdown', source });

/** A notebook file; a text is a cell of code. */
export function writeNotebook(
  folder: string,
  name: string,
  cells: readonly (string | object)[],
  metadata: object = {},
): void {
  const notebook = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { name: 'layerscope', display_name: 'TypeScript (Layerscope)', language: 'typescript' },
      ...metadata,
    },
    cells: cells.map((cell, i) => ({
      id: `cell-${i}`,
      metadata: {},
      ...(typeof cell === 'string' ? codeCell(cell) : cell),
    })),
  };
  writeFileSync(join(folder, name), `${JSON.stringify(notebook, null, 1)}\n`);
}

interface CellInFile {
  readonly cell_type: string;
  readonly source: string | readonly string[];
}

const fileCells = (folder: string, name: string): readonly CellInFile[] =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')).cells;

/** The sources of a notebook file's cells. */
export const cellsIn = (folder: string, name: string): string[] =>
  fileCells(folder, name).map(({ source }) => [source].flat().join(''));

/** Whether each of a notebook file's cells is code, Markdown or raw. */
export const kindsIn = (folder: string, name: string): string[] =>
  fileCells(folder, name).map(({ cell_type }) => cell_type);

/** For what the page does in its own time: a kernel takes some to start, on a busy machine more. */
export const eventually = <T>(value: () => T | Promise<T>) => expect.poll(value, { timeout: 60_000, interval: 100 });

/** A cell of the notebook in front. */
export const cellAt = (page: Page, at: number): Locator =>
  page.locator('.notebook-tab:not(.lm-mod-hidden) .jp-Cell').nth(at);

/** The one that was chosen, or put in, last. */
export const activeCell = (page: Page): Locator =>
  page.locator('.notebook-tab:not(.lm-mod-hidden) .jp-Cell.jp-mod-active');

/** The text of a cell's outputs; '' while there is none. */
export const outputAt = async (page: Page, at: number): Promise<string> =>
  (await cellAt(page, at).locator('.jp-OutputArea-output').allTextContents()).join('\n').trim();

/** The sources of the cells of code in front, as the page shows them. */
export async function sourcesOf(page: Page): Promise<string[]> {
  const editors = await page.locator('.notebook-tab:not(.lm-mod-hidden) .jp-CodeCell .cm-content').all();
  return Promise.all(editors.map(async (editor) => (await editor.locator('.cm-line').allTextContents()).join('\n')));
}

/** What the notebook in front says of its kernel. */
export const kernelLight = (page: Page): Promise<string | null> =>
  page.locator('.notebook-tab:not(.lm-mod-hidden) .kernel-light').textContent();

/** Whether the tab in front shows no mark of edits that are not saved. */
export const isSaved = async (page: Page): Promise<boolean> =>
  (await page.locator('.lm-TabBar-tab.lm-mod-current.unsaved').count()) === 0;

/** The notices that stand in the page. */
export const noticesOf = (page: Page): Promise<string[]> => page.locator('.notice:visible').allTextContents();
