/**
 * One visit to the lab from end to end, as a newcomer makes it: real server, kernel, inspector's process, adapter and browser. The
 * tests share the page and go on from each other.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { findChromium } from '../../../src/node/host.ts';
import { openModel, type Run } from '../../../src/node/index.ts';
import { oracleAvailable } from '../../../src/oracle/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { seriousFaults } from '../../browser/axe.ts';
import { have } from '../../skip.ts';
import { backend } from '../inspector/lab_session.ts';
import { everyView, numbersIn, TOKEN } from './every_view.ts';
import { OpenLab } from './lab.ts';
import { activeCell, eventually, writeNotebook } from './notebook_page.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const MODEL = 'lily-4m-f16.gguf';
const NOTEBOOK = 'visit.ipynb';

const chromium = findChromium();
let lab: OpenLab | undefined;
let page: Page;
/** Opened by links. Of the two the one that is used is brought to the front: behind it, a page draws once a second. */
let second: Page;
/** Of the same text, by an engine of the test's own. */
let run: Run | undefined;

beforeAll(async () => {
  if (!chromium) return;
  lab = await OpenLab.open(chromium, { models: [MODEL], size: { width: 1600, height: 900 } });
  await lab.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  writeNotebook(lab.root, NOTEBOOK, ['1 + 1']);
  page = await lab.page(NOTEBOOK);
  second = await lab.context.newPage();
  await page.bringToFront();
});
afterAll(async () => {
  run?.close();
  await run?.model.close();
  await lab?.close();
});
afterEach(() => {
  expect(lab?.errors.splice(0) ?? []).toEqual([]);
  expect(lab?.foreign ?? []).toEqual([]);
});

const visited = (context: TestContext): OpenLab =>
  have(context, lab, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');

const place = () => new URLSearchParams(new URL(page.url()).hash.slice(1));
const view = (id: string, at = page) => at.locator(`[data-view="${id}"]`);
const button = (name: string) => page.locator('.inspector').getByRole('button', { name, exact: true });

/** What is there while the run moves, or a view waits for an answer or draws. */
const BUSY = [
  ...['.working progress', '.waiting progress', '.inspector [aria-busy="true"]'],
  ...['.view :text-is("Working …")', '.view .chart:not(:has(.role-title-text))'],
].join();

async function idle(): Promise<void> {
  await page.locator('.map-body').waitFor();
  await eventually(() => page.locator(BUSY).count()).toBe(0);
}

async function look(title: string): Promise<void> {
  await page.bringToFront();
  await page.getByRole('tab', { name: title, exact: true }).click();
  await idle();
}

/** What a button of the view's own saves. */
async function saved(name: 'PNG' | 'SVG' | 'Arrow'): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), button(name).click()]);
  return readFileSync(await download.path());
}

test('the model that is clicked in the file list is run by the inspector beside the notebook', async (context) => {
  visited(context);
  await page.locator('.files .model button.open').click();
  await idle();
  if (backend === 'reference') {
    await page.getByLabel('Backend').selectOption(backend);
    await button('Run').click();
    await page.locator('.opened-as', { hasText: backend }).waitFor();
    await idle();
  }
  expect(await page.locator('.cell.computed').count()).toBe(111);
  expect(await page.locator('.opened-as').textContent()).toContain('6 layers');
});

test('the whole run is saved as one trace, which the inspector opens again', async (context) => {
  visited(context);
  const [download] = await Promise.all([page.waitForEvent('download'), button('Whole run').click()]);
  await page.getByText('Saved lily-4m-f16.run.arrow: 111 tensors').waitFor();
  const path = await download.path();
  const trace = await openArrowTrace(bytesSource('run.arrow', readFileSync(path)));
  expect(trace.entries.filter(({ hasValues }) => hasValues)).toHaveLength(111);
  await second.bringToFront();
  await second.goto(page.url().replace(/#.*/, ''));
  await second.locator('input[type=file]').setInputFiles(path);
  await second.getByText('A trace, computed on').waitFor();
  expect(await second.locator('.cell.computed').count()).toBe(111);
  await page.bringToFront();
});

test('beside llama.cpp the run differs by known rounding', async (context) => {
  visited(context);
  const missing = oracleAvailable();
  if (missing !== null) context.skip(`skipped: ${missing}`);
  await look('Comparison');
  await page.getByRole('button', { name: 'llama.cpp', exact: true }).click();
  await page.locator('.verdict').waitFor({ timeout: 90_000 });
  await idle();
  expect(await page.locator('.verdict').innerText()).toMatch(/^≈ (Precision|Noise): /);
});

test('the map is walked by mouse and keys', async (context) => {
  visited(context);
  await look('Step');
  await page.locator('[data-step="Qcur-2"]').click();
  await page.keyboard.press('ArrowRight');
  await eventually(() => place().get('step')).toBe('Kcur-2');
  await page.keyboard.press('ArrowDown');
  await eventually(() => place().get('step')).toBe('Kcur-3');
  await eventually(() => view('step').locator('h3').first().textContent()).toBe('Kcur-3');
});

test('a token is locked by a click, and there is a tab for each of the 13 views', async (context) => {
  visited(context);
  await page.locator('.token').nth(TOKEN).click();
  expect(place().get('token')).toBe(`${TOKEN}`);
  const tabs = page.getByRole('tablist', { name: 'Views' }).getByRole('tab');
  expect((await tabs.allTextContents()).sort()).toEqual(everyView.map(({ title }) => title).sort());
});

/** How many colours a picture has, at most 16. */
const coloursOf = (png: Buffer) =>
  page.evaluate<number>(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const { width, height } = image;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const colours = new Set();
    for (const pixel of new Uint32Array(context.getImageData(0, 0, width, height).data.buffer)) {
      if (colours.add(pixel).size === 16) break;
    }
    return colours.size;
  })()`);

/** The name of the outermost element of an SVG file, how many marks it has, and what it says. */
const readSvg = (svg: string) =>
  page.evaluate<{ name: string; marks: number; text: string }>(`(() => {
    const { documentElement } = new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml');
    const marks = documentElement.querySelectorAll('path, rect, line, circle, text, image').length;
    return { name: documentElement.nodeName, marks, text: documentElement.textContent };
  })()`);

const titles = (id: string) => view(id).locator('.chart .role-title-text').allTextContents();

/** What a view says below its buttons, but for what was not sent yet and what the pointer is on. */
const said = (at: Page) =>
  at.evaluate<string>(`(() => {
    const view = document.querySelector('.view').cloneNode(true);
    for (const part of view.querySelectorAll(':scope > header, .said, form, .read-off')) part.remove();
    return view.textContent;
  })()`);

/** The inspector but for the marks of its charts, thousands, which are one picture each to whoever does not see them. */
const INSPECTOR = { include: ['.inspector'], exclude: ['.chart svg'] };

/** The text that the page runs, at its end. */
async function ownRun(): Promise<Run> {
  const model = await openModel(fileURLToPath(new URL(`../../../fixtures/${MODEL}`, import.meta.url)), { backend });
  return model.start(place().get('text') ?? '').toEnd();
}

for (const { id, title, prepare, agrees, marks: least = 20, inCell = /./ } of everyView) {
  describe(title, () => {
    test('shows something of the token that is locked, and axe finds nothing serious', async (context) => {
      visited(context);
      await look(title);
      await view(id).waitFor();
      expect(place().get('token')).toBe(`${TOKEN}`);
      await prepare?.(page);
      await idle();
      await eventually(async () => (await said(page)).length).toBeGreaterThan(150);
      expect(await page.locator('.view .failure, .banner').allTextContents()).toEqual([]);
      expect(await seriousFaults(page, INSPECTOR)).toEqual([]);
    });

    test('is saved as PNG, SVG and Arrow that open, with the numbers of the engine', async (context) => {
      visited(context);
      expect(await coloursOf(await saved('PNG'))).toBeGreaterThan(4);
      const svg = (await saved('SVG')).toString();
      expect(svg).not.toContain('var(--');
      const { name, marks, text } = await readSvg(svg);
      expect(name).toBe('svg');
      expect(marks).toBeGreaterThanOrEqual(least);
      for (const each of await titles(id)) expect(text).toContain(each);
      run ??= await ownRun();
      const words = await agrees(numbersIn(await saved('Arrow')), run);
      for (const word of words) expect(await said(page)).toContain(word);
    });

    test('is copied as a cell that runs in the notebook beside it, and shows the same there', async (context) => {
      visited(context);
      await button('Copy as cell').click();
      const cell = activeCell(page);
      await cell.locator('.jp-InputPrompt', { hasText: /^\[ \]:$/ }).waitFor();
      expect(await cell.locator('.cm-content').textContent()).toContain(MODEL);
      await page.keyboard.press('Control+Enter');
      await eventually(() => cell.locator('.jp-InputPrompt').innerText()).toMatch(/\[\d+\]/);
      expect(await cell.locator('[data-mime-type$="error"], [data-mime-type$="stderr"]').allTextContents()).toEqual([]);
      expect(await cell.locator('.jp-OutputArea').textContent()).toMatch(inCell);
      const wanted = await titles(id);
      await eventually(() => cell.locator('.role-title-text').allTextContents()).toEqual(
        expect.arrayContaining(wanted),
      );
      for (const drawing of await cell.locator('svg.marks').all()) {
        expect(await drawing.locator('path, text').count()).toBeGreaterThan(20);
        expect((await drawing.boundingBox())?.height).toBeGreaterThan(50);
      }
    });

    test('has a permanent link that shows the same in a second tab, where axe finds nothing serious in the dark', async (context) => {
      visited(context);
      await button('Link').click();
      await page.getByText('The link is on the clipboard').waitFor();
      const link = await page.evaluate<string>('navigator.clipboard.readText()');
      expect(link).toBe(page.url());
      await second.bringToFront();
      await second.goto(link);
      await view(id, second).waitFor({ timeout: 60_000 });
      await second.locator('#theme').selectOption('dark');
      await eventually(() => said(second)).toBe(await said(page));
      expect(await second.locator('.token').nth(TOKEN).getAttribute('aria-selected')).toBe('true');
      const step = place().get('step');
      expect(await second.locator(`[data-step="${step}"]`).getAttribute('aria-selected')).toBe('true');
      expect(second.url()).toBe(link);
      expect(await seriousFaults(second, INSPECTOR)).toEqual([]);
    });
  });
}

test('a long comparison is stopped by a click, which the page says, and the next one is made', async (context) => {
  visited(context);
  const link = new URLSearchParams({
    ...{ inspect: '1', model: MODEL, backend, text: 'Lily gave the ball to Tom. '.repeat(16) },
    ...{ fault: 'rope-pairing:{"layer":2}', view: 'comparison', 'with.comparison.with': 'f64' },
  });
  await second.bringToFront();
  await second.goto(`${page.url().replace(/#.*/, '')}#${link}`);
  const waiting = second.locator('.comparison .waiting');
  await waiting.getByRole('button', { name: 'Stop' }).click();
  await waiting.locator('.failure').waitFor();
  expect(await waiting.locator('.failure').innerText()).toBe('Stopped before it was done.');
  expect(await second.locator('.verdict').count()).toBe(0);
  await second.getByRole('button', { name: 'unchanged model' }).click();
  await second.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 90_000 });
  await page.bringToFront();
});

test.for(['light', 'dark'])(
  'axe finds nothing serious in the whole page with all their cells, %s',
  async (theme, context) => {
    visited(context);
    await page.locator('#theme').selectOption(theme);
    expect(await seriousFaults(page)).toEqual([]);
  },
);
