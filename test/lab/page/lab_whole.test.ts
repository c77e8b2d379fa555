/**
 * One visit to the lab from end to end, as a newcomer makes it: real server, kernel, inspector's process, adapter and browser. The
 * tests share the page and go on from each other.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, type TestContext, test, vi } from 'vitest';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { findChromium } from '../../../src/node/host.ts';
import { oracleAvailable } from '../../../src/oracle/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { have } from '../../skip.ts';
import { backend } from '../inspector/lab_session.ts';
import { OpenLab } from './lab.ts';
import { cellAt, eventually, writeNotebook } from './notebook_page.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const MODEL = 'lily-4m-f16.gguf';
const NOTEBOOK = 'visit.ipynb';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The ids of the views and their tabs, in order. */
const VIEWS = [
  ['step', 'Step'],
  ['attention', 'Attention'],
  ['heads', 'All heads'],
  ['qk', 'Query × key'],
  ['next', 'Next token'],
  ['lens', 'Logit lens'],
  ['rank', 'Ranks'],
  ['attribution', 'Attribution'],
  ['growth', 'Growth'],
  ['edit', 'Edit'],
  ['comparison', 'Comparison'],
  ['faults', 'Faults'],
  ['blind', 'Blind mode'],
] as const;

const chromium = findChromium();
let lab: OpenLab | undefined;
let page: Page;

beforeAll(async () => {
  if (!chromium) return;
  lab = await OpenLab.open(chromium, { models: [MODEL], size: { width: 1600, height: 900 } });
  await lab.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  writeNotebook(lab.root, NOTEBOOK, ['1 + 1']);
  page = await lab.page(NOTEBOOK);
});
afterAll(() => lab?.close());
afterEach(() => {
  expect(lab?.errors.splice(0) ?? []).toEqual([]);
  expect(lab?.foreign ?? []).toEqual([]);
});

const visited = (context: TestContext): OpenLab =>
  have(context, lab, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');

const place = () => new URLSearchParams(new URL(page.url()).hash.slice(1));
const view = (id: string) => page.locator(`[data-view="${id}"]`);
const button = (name: string) => page.locator('.inspector').getByRole('button', { name, exact: true });

/** Waits until the run stands and no view waits for an answer. */
async function idle(): Promise<void> {
  await page.locator('.map-body').waitFor();
  for (const busy of ['.working progress', '.waiting progress', '.inspector [aria-busy="true"]']) {
    await eventually(() => page.locator(busy).count()).toBe(0);
  }
}

async function look(title: string): Promise<void> {
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

test('the map is walked by mouse and keys', async (context) => {
  visited(context);
  await page.locator('[data-step="Qcur-2"]').click();
  await page.keyboard.press('ArrowRight');
  await eventually(() => place().get('step')).toBe('Kcur-2');
  await page.keyboard.press('ArrowDown');
  await eventually(() => place().get('step')).toBe('Kcur-3');
  await eventually(() => view('step').locator('h3').first().textContent()).toBe('Kcur-3');
});

test('a token that is locked stays so in each of the 13 views, and every view has something to say', async (context) => {
  visited(context);
  await page.locator('.token').nth(8).click();
  const tabs = page.getByRole('tablist', { name: 'Views' }).getByRole('tab');
  expect(await tabs.allTextContents()).toEqual(VIEWS.map(([, title]) => title));
  for (const [id, title] of VIEWS) {
    await look(title);
    await view(id).waitFor();
    expect((await view(id).textContent())?.length, id).toBeGreaterThan(150);
    expect(await page.locator('.view .failure, .banner').allTextContents(), id).toEqual([]);
    expect(place().get('token'), id).toBe('8');
  }
});

test('a view that is copied as a cell runs in the notebook beside it, and draws the same there', async (context) => {
  visited(context);
  await look('Attention');
  const title = await view('attention').locator('.chart .role-title-text').first().textContent();
  await button('Copy as cell').click();
  await eventually(() => cellAt(page, 1).locator('.cm-content').textContent()).toContain('charts.attention(run');
  await cellAt(page, 1).locator('.cm-content').click();
  await page.locator('[data-action="run"]').click();
  await eventually(() => cellAt(page, 1).locator('.role-title-text').allTextContents()).toContain(title);
});

test('its permanent link opens the same in a second tab', async (context) => {
  const { context: browser } = visited(context);
  await button('Link').click();
  await page.getByText('The link is on the clipboard').waitFor();
  const link = await page.evaluate<string>('navigator.clipboard.readText()');
  expect(link).toBe(page.url());
  const other = await browser.newPage();
  await other.goto(link);
  const title = (at: Page) => at.locator('[data-view="attention"] .chart .role-title-text').first();
  await title(other).waitFor({ timeout: 60_000 });
  expect(await title(other).textContent()).toBe(await title(page).textContent());
  expect(await other.locator('.token').nth(8).getAttribute('aria-selected')).toBe('true');
  expect(await other.locator('[data-step="Kcur-3"]').getAttribute('aria-selected')).toBe('true');
  expect(other.url()).toBe(link);
  await other.close();
});

/** Each export of the view in front opens in what reads it. */
async function takenAlong(): Promise<void> {
  const png = await saved('PNG');
  expect(png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
  expect(png.readUInt32BE(16)).toBeGreaterThan(200);
  const svg = (await saved('SVG')).toString();
  const root = await page.evaluate<string>(
    `new DOMParser().parseFromString(${JSON.stringify(svg)}, 'image/svg+xml').documentElement.nodeName`,
  );
  expect(root).toBe('svg');
  expect(svg).not.toContain('var(--');
  const trace = await openArrowTrace(bytesSource('view.arrow', await saved('Arrow')));
  expect(trace.entries.length).toBeGreaterThan(0);
  for (const { name } of trace.entries) expect((await trace.tensor(name)).data.length).toBeGreaterThan(0);
}

test.for(['Step', 'Attention', 'Next token', 'Growth'])(
  '%s is saved as PNG, SVG and Arrow that open',
  async (title, context) => {
    visited(context);
    await look(title);
    await takenAlong();
  },
);

test('the whole run is saved as one trace, which the inspector opens again', async (context) => {
  const { context: browser } = visited(context);
  await look('Step');
  const [download] = await Promise.all([page.waitForEvent('download'), button('Whole run').click()]);
  await page.getByText('Saved lily-4m-f16.run.arrow: 111 tensors').waitFor();
  const path = await download.path();
  const trace = await openArrowTrace(bytesSource('run.arrow', readFileSync(path)));
  expect(trace.entries.filter(({ hasValues }) => hasValues)).toHaveLength(111);
  const other = await browser.newPage();
  await other.goto(page.url().replace(/#.*/, ''));
  await other.locator('input[type=file]').setInputFiles(path);
  await other.getByText('A trace, computed on').waitFor();
  expect(await other.locator('.cell.computed').count()).toBe(111);
  await other.close();
});

test('beside llama.cpp the run differs by known rounding, and is taken along as files that open', async (context) => {
  visited(context);
  const missing = oracleAvailable();
  if (missing !== null) context.skip(`skipped: ${missing}`);
  await look('Comparison');
  await page.getByRole('button', { name: 'llama.cpp', exact: true }).click();
  await page.locator('.verdict').waitFor({ timeout: 90_000 });
  await idle();
  expect(await page.locator('.verdict').innerText()).toMatch(/^≈ (Precision|Noise): /);
  await takenAlong();
});

test('a fault that is switched on is flagged where it begins, beside the unchanged model and in the comparison', async (context) => {
  visited(context);
  await look('Faults');
  await page.locator('[data-fault="rope-pairing"]').click();
  await page.locator('.fault-page').getByLabel('layer').fill('2');
  await button('Switch on and watch').click();
  await page.locator('.drawn svg').waitFor({ timeout: 60_000 });
  await idle();
  expect(await page.locator('.spread').innerText()).toContain('First touched: Qcur_rope-2.');
  await page.getByRole('button', { name: 'Jump there' }).click();
  await page.locator('.drawn svg').focus();
  await page.keyboard.press('ArrowRight');
  await eventually(() => place().get('step')).toBe('Kcur_rope-2');
  await takenAlong();
  await look('Comparison');
  await page.getByRole('button', { name: 'unchanged model' }).click();
  await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 90_000 });
  await idle();
  expect(await page.locator('.tensor-row[data-tensor="Qcur_rope-2"]').innerText()).toContain('⚑');
  expect(await page.locator('.first-divergence').innerText()).toContain('Qcur_rope-2');
});

/** Of axe's findings the serious and critical ones, each with what it is about. */
const SERIOUS = `axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === 'serious' || impact === 'critical')
  .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary).join(' | ')))`;

test.for(['light', 'dark'])('axe finds nothing serious in the whole page, %s', async (theme, context) => {
  visited(context);
  await page.locator('#theme').selectOption(theme);
  await page.evaluate(AXE);
  for (const title of ['Comparison', 'Faults', 'Attention', 'Step']) {
    await look(title);
    expect(await page.evaluate(SERIOUS), title).toEqual([]);
  }
});
