/** The lab's frame around notebooks: what it weighs, themes, panes, files, and that everybody can use it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { bundlePage } from '../../../src/lab/bundle.mjs';
import { findChromium } from '../../../src/node/host.ts';
import { seriousFaults } from '../../browser/axe.ts';
import { have } from '../../skip.ts';
import { OpenLab } from './lab.ts';
import { cellAt, codeCell, eventually, markdownCell, writeNotebook } from './notebook_page.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const chromium = findChromium();
let opened: OpenLab | undefined;

beforeAll(async () => {
  if (!chromium) return;
  opened = await OpenLab.open(chromium, { remembered: { 'layerscope.inspector': 'closed' } });
  mkdirSync(join(opened.root, 'notebooks'));
  const table = '<div class="wide" style="overflow-x:auto"><table><tr><td>1</td></tr></table></div>';
  const error = { output_type: 'error', ename: 'Error', evalue: 'no', traceback: ['\u001b[31mError\u001b[0m: no'] };
  const chart = {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    description: 'Two bars',
    data: { values: [{ a: 1 }, { a: 2 }] },
    mark: 'bar',
    encoding: { x: { field: 'a', type: 'ordinal' }, y: { field: 'a', type: 'quantitative' } },
  };
  const { mark: _, ...unmarked } = chart;
  const written = (mark: object, encoding = {}) => ({
    ...{ ...unmarked, layer: [{ mark: 'bar' }, { mark: { type: 'text', ...mark }, encoding }] },
    encoding: { ...chart.encoding, text: { field: 'a' } },
  });
  const byMark = { color: { condition: { test: 'datum.a > 1', value: 'black' }, value: 'white' } };
  const shown = (data: object) => ({ output_type: 'display_data', metadata: {}, data });
  writeNotebook(opened.root, 'notebooks/01_every_kind.ipynb', [
    markdownCell('# 1. A title\n\nSee [the second](02_other.ipynb): $a^2$\n\n| a | b |\n|---|---|\n| 1 | 2 |'),
    { ...codeCell('const a: number = 1; // one'), outputs: [shown({ 'text/html': table }), error] },
    { ...codeCell("'text'"), outputs: [shown({ 'application/vnd.vegalite.v5+json': chart })] },
    { ...codeCell('2'), outputs: [shown({ 'application/vnd.vegalite.v5+json': written({}) })] },
    { ...codeCell('3'), outputs: [shown({ 'application/vnd.vegalite.v5+json': written({ dy: -6 }) })] },
    { ...codeCell('4'), outputs: [shown({ 'application/vnd.vegalite.v5+json': written({}, byMark) })] },
  ]);
  writeNotebook(opened.root, 'notebooks/02_other.ipynb', ['1']);
  writeNotebook(opened.root, 'notebooks/03_title.ja.ipynb', [markdownCell('# 3. 題名')], { language: 'ja' });
});
afterAll(() => opened?.close());
afterEach(async () => {
  for (const page of opened?.context.pages() ?? []) await page.close();
  expect(opened?.errors.splice(0) ?? []).toEqual([]);
  expect(opened?.foreign ?? []).toEqual([]);
});

const labOf = (context: Parameters<typeof have>[0]): OpenLab =>
  have(context, opened, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');

const EVERY_KIND = 'notebooks/01_every_kind.ipynb';

describe('a first visit', () => {
  test('needs at most 2.5 MB of scripts, with Yjs in them once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'layerscope-page-'));
    try {
      const made = await bundlePage(folder);
      expect(bytesAtFirst(made)).toBeLessThan(2.5e6);
      // Two copies of Yjs would not know each other's types.
      expect(Object.keys(made.inputs).filter((path) => path.endsWith('/yjs/dist/yjs.mjs'))).toHaveLength(1);
      expect(existsSync(join(folder, 'index.html'))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('calls the lessons of the folder as their headings do, else by their files’ names, and a click opens one', async (context) => {
    const page = await labOf(context).page();
    await eventually(() => page.locator('.lessons button').allTextContents()).toEqual(['1A title', '2Other', '3題名']);
    expect(await page.locator('.lessons [lang="ja"]').textContent()).toBe('題名');
    await page.getByRole('button', { name: '1 A title' }).click();
    await eventually(() => cellAt(page, 0).locator('h1').textContent()).toContain('A title');
    expect(new URL(page.url()).searchParams.get('notebook')).toBe(EVERY_KIND);
  });
});

/** The bytes of main.js and of every piece that it imports at once. */
function bytesAtFirst({ outputs }: Metafile): number {
  const first = Object.keys(outputs).find((path) => path.endsWith('/main.js')) ?? '';
  const pieces = new Set([first]);
  for (const piece of pieces) {
    for (const { path, kind } of outputs[piece]?.imports ?? []) if (kind === 'import-statement') pieces.add(path);
  }
  return [...pieces].reduce((bytes, piece) => bytes + (outputs[piece]?.bytes ?? Number.POSITIVE_INFINITY), 0);
}

describe('themes', () => {
  const LIGHT = { page: 'rgb(255, 255, 255)', ink: '#000' };
  const DARK = { page: 'rgb(20, 23, 28)', ink: '#c6ccd4' };

  test('follow the system; a choice overrides it and is remembered; charts do as the page does', async (context) => {
    const page = await labOf(context).page(EVERY_KIND);
    const label = cellAt(page, 2).locator('.role-axis-label text').first();
    const drawn = async () => ({
      page: await page.evaluate<string>('getComputedStyle(document.body).backgroundColor'),
      ink: await label.getAttribute('fill'),
    });
    await page.emulateMedia({ colorScheme: 'dark' });
    await eventually(drawn).toEqual(DARK);
    await page.getByLabel('Theme').selectOption('light');
    await eventually(drawn).toEqual(LIGHT);
    await page.reload();
    await eventually(drawn).toEqual(LIGHT);
    await page.getByLabel('Theme').selectOption('system');
    await eventually(drawn).toEqual(DARK);
  });

  test('a chart that writes on its marks in one ink stays on white paper, one that writes beside them or by them does not', async (context) => {
    const page = await labOf(context).page(EVERY_KIND);
    await page.emulateMedia({ colorScheme: 'dark' });
    const paper = cellAt(page, 3).locator('svg.marks');
    await eventually(() => paper.getAttribute('style')).toContain('background-color: white');
    for (const at of [2, 4, 5]) {
      const follower = cellAt(page, at).locator('svg.marks');
      await eventually(() => follower.getAttribute('style')).toContain('background-color: transparent');
    }
  });
});

describe('panes', () => {
  const width = async (page: Page, id: string): Promise<number> => (await page.locator(id).boundingBox())?.width ?? 0;

  test('the file list folds away, the inspector opens, fills the page and closes; the page remembers', async (context) => {
    const page = await labOf(context).page();
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await eventually(() => page.locator('#files').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Inspector', exact: true }).click();
    await page.locator('#inspector').getByText('Look into a model').waitFor();
    await page.getByRole('button', { name: 'Wide' }).click();
    expect(await width(page, '#inspector')).toBe(1280);
    await page.reload();
    await eventually(() => width(page, '#inspector')).toBe(1280);
    await page.getByRole('button', { name: 'Wide' }).click();
    await page.getByRole('button', { name: 'Inspector', exact: true }).click();
    await eventually(() => page.locator('#inspector').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await eventually(() => page.locator('#files').isVisible()).toBe(true);
  });

  test('an edge is moved by arrow keys and by the mouse, within its bounds', async (context) => {
    const page = await labOf(context).page();
    const edge = page.getByRole('separator', { name: 'Width of the file list' });
    const before = await width(page, '#files');
    await edge.focus();
    await page.keyboard.press('ArrowRight');
    expect(await width(page, '#files')).toBe(before + 24);
    expect(await edge.getAttribute('aria-valuenow')).toBe(`${before + 24}`);
    await page.keyboard.press('Home');
    expect(await width(page, '#files')).toBe(140);
    const box = await edge.boundingBox();
    await page.mouse.move((box?.x ?? 0) + 3, 300);
    await page.mouse.down();
    await page.mouse.move((box?.x ?? 0) + 63, 300, { steps: 3 });
    await page.mouse.up();
    expect(await width(page, '#files')).toBe(200);
  });

  test('text grows for a lecture hall, in notebooks too', async (context) => {
    const page = await labOf(context).page(EVERY_KIND);
    const size = () => page.evaluate<string>("getComputedStyle(document.querySelector('.cm-content')).fontSize");
    await cellAt(page, 1).locator('.cm-content').waitFor();
    expect(await size()).toBe('13.5px');
    for (let step = 0; step < 4; step++) await page.getByRole('button', { name: 'A+' }).click();
    await eventually(size).toBe('23.625px');
    for (let step = 0; step < 4; step++) await page.getByRole('button', { name: 'A−' }).click();
    await eventually(size).toBe('13.5px');
  });
});

describe('files', () => {
  test('a notebook is made, renamed and deleted, and folders are gone through', async (context) => {
    const lab = labOf(context);
    const page = await lab.page();
    const files = page.locator('#files');
    await files.getByRole('button', { name: 'notebooks', exact: true }).click();
    await files.getByRole('button', { name: '01_every_kind', exact: true }).waitFor();
    await files.getByRole('button', { name: 'Top' }).click();
    await files.getByRole('button', { name: 'New notebook' }).click();
    await cellAt(page, 0).waitFor();
    const made = new URL(page.url()).searchParams.get('notebook') ?? '';
    expect(existsSync(join(lab.root, made))).toBe(true);
    const actionOn = async (action: string, name: string) => {
      await files.locator('li', { hasText: name.replace('.ipynb', '') }).hover();
      await files.getByRole('button', { name: `${action} ${name}` }).click();
    };
    await actionOn('Rename', made);
    await page.locator('.jp-Dialog input').fill('mine.ipynb');
    await page.keyboard.press('Enter');
    await eventually(() => page.locator('.lm-TabBar-tabLabel').allTextContents()).toEqual(['mine']);
    expect(existsSync(join(lab.root, 'mine.ipynb'))).toBe(true);
    await page.locator('.lm-TabBar-tabCloseIcon').click();
    await actionOn('Delete', 'mine.ipynb');
    await page.locator('.jp-Dialog-button.jp-mod-warn').click();
    await eventually(() => existsSync(join(lab.root, 'mine.ipynb'))).toBe(false);
  });

  test('a link in a text opens the other notebook in a tab, and tabs are gone through by keys', async (context) => {
    const page = await labOf(context).page(EVERY_KIND);
    await cellAt(page, 0).getByRole('link', { name: 'the second' }).click();
    const tabs = page.locator('.lm-TabBar-tab');
    await eventually(() => tabs.allTextContents()).toEqual(['01_every_kind', '02_other']);
    await eventually(() => new URL(page.url()).searchParams.get('notebook')).toBe('notebooks/02_other.ipynb');
    await tabs.nth(1).focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await eventually(() => new URL(page.url()).searchParams.get('notebook')).toBe(EVERY_KIND);
  });
});

describe('everybody can use it', () => {
  test.for(['light', 'dark'] as const)(
    'axe finds nothing serious in a notebook, in the %s theme',
    async (theme, context) => {
      const page = await labOf(context).page(EVERY_KIND);
      await page.emulateMedia({ colorScheme: theme });
      await cellAt(page, 2).locator('.vega-embed svg.marks').waitFor();
      expect(await seriousFaults(page)).toEqual([]);
    },
  );

  test('axe finds nothing serious in the welcome', async (context) => {
    expect(await seriousFaults(await labOf(context).page())).toEqual([]);
  });

  test('the first Tab offers to skip to the notebook, and every control of the header is reached by Tab', async (context) => {
    const page = await labOf(context).page();
    const reached: string[] = [];
    for (let step = 0; step < 9; step++) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate<string>('document.activeElement.id || document.activeElement.textContent'));
    }
    expect(reached).toEqual([
      'Skip to the notebook',
      'Skip to the inspector',
      'files-switch',
      'smaller',
      'larger',
      'theme',
      'inspector-switch',
      'wide-switch',
      expect.anything(),
    ]);
  });
});
