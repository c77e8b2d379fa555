/** No edit is lost: two tabs on one notebook, a server that goes away, a folder that cannot be written, a page that is closed. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConsoleMessage, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { findChromium } from '../../../src/node/host.ts';
import { notHeld } from '../../file_modes.ts';
import { have } from '../../skip.ts';
import { OpenLab } from './lab.ts';
import {
  cellAt,
  cellsIn,
  eventually,
  isSaved,
  noticesOf,
  outputAt,
  sourcesOf,
  writeNotebook,
} from './notebook_page.ts';

/** A kernel takes seconds to start, and more where the machine is busy. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const NOTEBOOKS = fileURLToPath(new URL('../../../notebooks/', import.meta.url));
const SHIPPED = ['01_first_look.ipynb', '02_one_layer_by_hand.ipynb'];

const chromium = findChromium();
let opened: OpenLab | undefined;

beforeAll(async () => {
  if (chromium)
    opened = await OpenLab.open(chromium, { isHeld: true, remembered: { 'layerscope.inspector': 'closed' } });
});
afterAll(() => opened?.close());
afterEach(async () => {
  for (const page of opened?.context.pages() ?? []) await page.close();
  opened?.errors.splice(0);
});

const labOf = (context: Parameters<typeof have>[0]): OpenLab =>
  have(context, opened, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');

/** Replaces what the first cell says. */
async function write(page: Page, text: string): Promise<void> {
  await cellAt(page, 0).locator('.cm-content').click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(text);
  await eventually(() => isSaved(page)).toBe(false);
}

const save = (page: Page): Promise<void> => page.keyboard.press('Control+s');
const choose = (page: Page, name: string): Promise<void> =>
  page.locator('.notice').getByRole('button', { name }).first().click();

test('a notebook that nobody edits is never marked as changed, nor written: shipped ones, and one of an older Jupyter', async (context) => {
  const lab = labOf(context);
  await lab.context.addInitScript(watchMarks);
  const old = { nbformat: 4, nbformat_minor: 4, metadata: { language_info: { name: 'python' } } };
  const cells = [{ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source: ['1 + 1'] }];
  writeFileSync(join(lab.root, 'older.ipynb'), JSON.stringify({ ...old, cells }));
  for (const name of SHIPPED) copyFileSync(join(NOTEBOOKS, name), join(lab.root, name));
  const names = [...SHIPPED, 'older.ipynb'];
  const before = names.map((name) => readFileSync(join(lab.root, name)));
  const warnings = new Set<string>();
  const listen = (message: ConsoleMessage) => void (message.type() === 'warning' && warnings.add(message.text()));
  lab.context.on('console', listen);
  onTestFinished(() => void lab.context.off('console', listen));
  let page: Page | undefined;
  for (const name of names) {
    await page?.close();
    page = await lab.page(name);
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    expect(await page.evaluate('marks'), name).toEqual([]);
    expect(await isSaved(page)).toBe(true);
  }
  expect(names.map((name) => readFileSync(join(lab.root, name)))).toEqual(before);
  // @jupyter/ydoc reads its cells before they are in the document, and gives each an undo of its own.
  const OF_YDOC = ['Invalid access: Add Yjs type to a document before reading data.', '[yjs#509] Not same Y.Doc'];
  expect([...warnings].filter((text) => !OF_YDOC.includes(text))).toEqual([]);

  // What is saved names the kernel that ran it.
  if (!page) return;
  await write(page, '2 + 2');
  await save(page);
  await eventually(() => JSON.parse(readFileSync(join(lab.root, 'older.ipynb'), 'utf8')).metadata).toMatchObject({
    kernelspec: { name: 'layerscope', display_name: 'TypeScript (Layerscope)', language: 'typescript' },
    language_info: { name: 'typescript', file_extension: '.ts' },
  });
});

/** In a page: whatever is marked as having edits that are not saved, from its first moment on. */
const watchMarks = `
  globalThis.marks = [];
  new MutationObserver(() => {
    for (const { textContent } of document.querySelectorAll('.unsaved')) marks.push(textContent);
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
`;

describe('two tabs that edit one notebook', () => {
  async function twoTabs(lab: OpenLab, name: string): Promise<readonly [Page, Page]> {
    writeNotebook(lab.root, name, ['// first']);
    const tabs = [await lab.page(name), await lab.page(name)] as const;
    await write(tabs[0], '// of tab 1');
    await save(tabs[0]);
    await eventually(() => cellsIn(lab.root, name)).toEqual(['// of tab 1']);
    await write(tabs[1], '// of tab 2');
    await save(tabs[1]);
    await eventually(() => noticesOf(tabs[1])).toEqual([expect.stringContaining('the file was changed elsewhere')]);
    expect(cellsIn(lab.root, name)).toEqual(['// of tab 1']);
    return tabs;
  }

  test('the second is told, and may overwrite the file', async (context) => {
    const lab = labOf(context);
    const [, second] = await twoTabs(lab, 'overwrite.ipynb');
    await choose(second, 'Overwrite it');
    await eventually(() => cellsIn(lab.root, 'overwrite.ipynb')).toEqual(['// of tab 2']);
    await eventually(() => noticesOf(second)).toEqual([]);
  });

  test('or load it', async (context) => {
    const lab = labOf(context);
    const [, second] = await twoTabs(lab, 'load.ipynb');
    await choose(second, 'Load it');
    await eventually(() => sourcesOf(second)).toEqual(['// of tab 1']);
    await eventually(() => isSaved(second)).toBe(true);
  });

  test('or save its own under another name, and goes on with that', async (context) => {
    const lab = labOf(context);
    const [, second] = await twoTabs(lab, 'as.ipynb');
    await choose(second, 'Save as …');
    await second.locator('.jp-Dialog input').fill('as-mine.ipynb');
    await second.keyboard.press('Enter');
    await eventually(() => second.locator('.lm-TabBar-tabLabel').allTextContents()).toEqual(['as-mine']);
    expect(cellsIn(lab.root, 'as.ipynb')).toEqual(['// of tab 1']);
    await write(second, '// later');
    await save(second);
    await eventually(() => cellsIn(lab.root, 'as-mine.ipynb')).toEqual(['// later']);
  });
});

describe('a server that is killed under an open page', () => {
  test('is said; cells stay, are saved when it is back, and run on a new kernel', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'killed.ipynb', ['// first']);
    const page = await lab.page('killed.ipynb');
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await lab.stop();
    await eventually(() => noticesOf(page)).toEqual([expect.stringContaining('does not answer')]);
    await write(page, '6 * 7');
    await save(page);
    await eventually(() => noticesOf(page)).toContainEqual(expect.stringContaining('the server does not answer'));
    expect(await sourcesOf(page)).toEqual(['6 * 7']);
    await lab.start();
    await eventually(() => cellsIn(lab.root, 'killed.ipynb')).toEqual(['6 * 7']);
    await eventually(() => noticesOf(page)).toEqual([expect.stringContaining('this notebook has a new kernel')]);
    await cellAt(page, 0).locator('.cm-content').click();
    await page.keyboard.press('Control+Enter');
    await eventually(() => outputAt(page, 0)).toContain('42');
  });
});

/** Runs the first cell as `code`. */
async function runAs(page: Page, code: string): Promise<void> {
  await write(page, code);
  await page.keyboard.press('Control+Enter');
}

/** Ids of the kernels that the server has. */
const kernelsOf = (page: Page): Promise<string[]> =>
  page.evaluate("fetch('/api/kernels').then((r) => r.json()).then((all) => all.map(({ id }) => id))");

describe('a kernel that ends', () => {
  test('in the middle of a cell: the cell and a notice say so, edits stay, and cells run again', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'dies.ipynb', ['// first', '// second']);
    const page = await lab.page('dies.ipynb');
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    // A cell's parent is the kernel.
    await runAs(page, "process.kill(process.ppid, 'SIGKILL'); await new Promise(() => {});");
    await eventually(() => outputAt(page, 0)).toContain(
      'Cannot finish: the kernel is gone, because it was ended by SIGKILL',
    );
    await eventually(() => noticesOf(page)).toEqual([expect.stringContaining('The kernel died and was started again')]);
    expect(await sourcesOf(page)).toEqual([expect.stringContaining('SIGKILL'), '// second']);
    await runAs(page, '6 * 7');
    await eventually(() => outputAt(page, 0)).toBe('42');
  });

  test('for good: the page says so and starts it again when asked to', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'dead.ipynb', ['// first']);
    const page = await lab.page('dead.ipynb');
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await page.evaluate(`fetch('/api/sessions').then((answer) => answer.json()).then((sessions) =>
      fetch('/api/kernels/' + sessions.find(({ path }) => path === 'dead.ipynb').kernel.id, {
        method: 'DELETE',
        headers: { 'X-XSRFToken': /_xsrf=([^;]*)/.exec(document.cookie)?.[1] ?? '' },
      }))`);
    await eventually(() => noticesOf(page)).toEqual([expect.stringContaining('The kernel died')]);
    await choose(page, 'Start it again');
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await eventually(() => noticesOf(page)).toEqual([]);
    await runAs(page, '6 * 7');
    await eventually(() => outputAt(page, 0)).toBe('42');
  });

  test('with its notebook, once no other page has that open', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'shared.ipynb', ['// first']);
    const first = await lab.page('shared.ipynb');
    await first.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await runAs(first, 'const kept = 7; kept');
    await eventually(() => outputAt(first, 0)).toBe('7');
    await save(first);
    await eventually(() => isSaved(first)).toBe(true);
    const second = await lab.page('shared.ipynb');
    await second.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    const shared = await kernelsOf(first);
    await second.locator('.lm-TabBar-tabCloseIcon').click();
    await second.locator('.welcome').waitFor();
    await runAs(first, 'kept + 1');
    await eventually(() => outputAt(first, 0)).toBe('8');
    expect(await kernelsOf(first)).toEqual(shared);
    await save(first);
    await eventually(() => isSaved(first)).toBe(true);
    await first.locator('.lm-TabBar-tabCloseIcon').click();
    await first.locator('.welcome').waitFor();
    await eventually(() => kernelsOf(first)).toHaveLength(shared.length - 1);
  });
});

describe('a file that cannot be written', () => {
  test('a folder that is gone: what the server says is shown, and the notebook can be downloaded', async (context) => {
    const lab = labOf(context);
    mkdirSync(join(lab.root, 'gone'));
    writeNotebook(lab.root, 'gone/lost.ipynb', ['// first']);
    const page = await lab.page('gone/lost.ipynb');
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    rmSync(join(lab.root, 'gone'), { recursive: true });
    await write(page, '// kept');
    await save(page);
    await eventually(() => noticesOf(page)).toEqual([expect.stringMatching(/Not saved: Cannot .*gone/)]);
    const [download] = await Promise.all([page.waitForEvent('download'), choose(page, 'Download')]);
    const notebook = JSON.parse(readFileSync(await download.path(), 'utf8'));
    expect(download.suggestedFilename()).toBe('lost.ipynb');
    expect(notebook.cells[0].source).toEqual('// kept');
  });

  test('a read-only folder is said when the notebook is opened; its cells run, and edits are downloaded or saved elsewhere', async (context) => {
    const lab = labOf(context);
    if (notHeld) context.skip(`skipped: ${notHeld}`);
    const folder = join(lab.root, 'read-only');
    mkdirSync(folder);
    writeNotebook(lab.root, 'read-only/kept.ipynb', ['// first']);
    chmodSync(folder, 0o555);
    onTestFinished(() => chmodSync(folder, 0o755));
    const onDisk = readFileSync(join(folder, 'kept.ipynb'));
    const page = await lab.page('read-only/kept.ipynb');
    const readOnly = expect.stringMatching(/^This file cannot be written\. .*another name, or download them/);
    await eventually(() => noticesOf(page)).toEqual([readOnly]);
    await write(page, '6 * 7');
    await save(page);
    await eventually(() => noticesOf(page)).toEqual([
      readOnly,
      expect.stringMatching(
        /^Not saved: Cannot save read-only\/kept\.ipynb: this user may not; change its permissions, or use another folder\. Your edits are in this page/,
      ),
    ]);
    expect(await sourcesOf(page)).toEqual(['6 * 7']);
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await cellAt(page, 0).locator('.cm-content').click();
    await page.keyboard.press('Control+Enter');
    await eventually(() => outputAt(page, 0)).toBe('42');
    const [download] = await Promise.all([page.waitForEvent('download'), choose(page, 'Download')]);
    expect(JSON.parse(readFileSync(await download.path(), 'utf8')).cells[0].source).toBe('6 * 7');
    await choose(page, 'Save as …');
    await page.locator('.jp-Dialog input').fill('elsewhere.ipynb');
    await page.keyboard.press('Enter');
    await eventually(() => noticesOf(page)).toEqual([]);
    expect(cellsIn(lab.root, 'elsewhere.ipynb')).toEqual(['6 * 7']);
    expect(await isSaved(page)).toBe(true);
    expect(readFileSync(join(folder, 'kept.ipynb'))).toEqual(onDisk);
  });
});

describe('a page that goes', () => {
  test('asks before edits are left behind, and not where there are none', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'leave.ipynb', ['// first']);
    const page = await lab.page('leave.ipynb');
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
    await eventually(() => isSaved(page)).toBe(true);
    await page.reload();
    await cellAt(page, 0).waitFor();
    expect(asked).toEqual([]);
    await write(page, '// unsaved');
    await page.reload();
    expect(asked).toEqual(['beforeunload']);
  });

  test('keeps unsaved cells in the browser, and offers them when the notebook is opened again', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'again.ipynb', ['// first']);
    const page = await lab.page('again.ipynb');
    await write(page, '// unsaved');
    await eventually(() => page.evaluate("localStorage['layerscope.unsaved:again.ipynb'] ?? ''")).toContain(
      '// unsaved',
    );
    await page.close();
    const next = await lab.page('again.ipynb');
    await eventually(() => noticesOf(next)).toEqual([expect.stringContaining('were never saved')]);
    expect(await sourcesOf(next)).toEqual(['// first']);
    await choose(next, 'Restore them');
    await eventually(() => sourcesOf(next)).toEqual(['// unsaved']);
    await save(next);
    await eventually(() => cellsIn(lab.root, 'again.ipynb')).toEqual(['// unsaved']);
    await eventually(() => next.evaluate("localStorage['layerscope.unsaved:again.ipynb'] ?? ''")).toBe('');
  });

  test('saves by itself some seconds after the last edit', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'autosave.ipynb', ['// first']);
    const page = await lab.page('autosave.ipynb');
    await write(page, '// by itself');
    await eventually(() => cellsIn(lab.root, 'autosave.ipynb')).toEqual(['// by itself']);
  });

  test('closing a tab asks, and saves on the way', async (context) => {
    const lab = labOf(context);
    writeNotebook(lab.root, 'close.ipynb', ['// first']);
    const page = await lab.page('close.ipynb');
    await write(page, '// on the way');
    await page.locator('.lm-TabBar-tabCloseIcon').click();
    await page.locator('.jp-Dialog').getByText('Save and close').click();
    await page.locator('.welcome').waitFor();
    expect(cellsIn(lab.root, 'close.ipynb')).toEqual(['// on the way']);
  });
});
