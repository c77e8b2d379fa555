/** The page in Chromium, opened from disk with the network off. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { attention, type Chart, rmsGrowth } from '../../../src/charts/index.ts';
import { findChromium } from '../../../src/node/host.ts';
import { notebookHtml } from '../../../src/notebook/ipynb/html.ts';
import type { CodeCell } from '../../../src/notebook/ipynb/notebook.ts';
import { patternGiven, toAll, toItself } from '../../charts/patterns.ts';
import { traceWith } from '../../charts/specs.ts';
import { have } from '../../skip.ts';
import { codeCell, markdownCell, notebookOf, thrown } from './fake_cells.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-page-'));
const path = join(folder, 'page.html');
const executablePath = findChromium();
let browser: Browser | undefined;

const HOSTILE = '</script><script>document.title = "broken"</script>';

beforeAll(async () => {
  const trace = traceWith(
    [
      patternGiven(0, 6, [toItself, toAll]),
      ...['l_out-0', 'attn_out-0', 'ffn_out-0'].map((name) => ({ name, shape: [1, 2], data: [1, 2] })),
    ],
    { tokens: [1, 2, 3, 4, 5, 6], pieces: ['<s>', ' Lily', ' 猫', '</script>', '<0xE3>', ' Tom'] },
  );
  const notebook = notebookOf(
    markdownCell('# A page\n\nA formula: $\\frac{a}{b}$ and a picture: ![remote](https://example.org/a.png)'),
    await charted('attention', await attention(trace, { layer: 0, head: 1 })),
    await charted('growth', await rmsGrowth(trace)),
    await charted('hostile', { mark: 'bar', data: { values: [{ a: HOSTILE }] }, encoding: { x: { field: 'a' } } }),
    codeCell(`const long = '${'x'.repeat(300)}';`, { outputs: [thrown('Error', HOSTILE)] }),
  );
  writeFileSync(path, await notebookHtml(notebook, { name: 'page.ipynb', folder }));
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** A cell that showed the chart, as our display does: spec, picture and text. */
async function charted(source: string, chart: Chart): Promise<CodeCell> {
  const svg = await new View(parse(compile(chart).spec), { renderer: 'none' }).toSVG();
  const data = { 'application/vnd.vegalite.v5+json': chart, 'image/svg+xml': svg, 'text/plain': 'a chart' };
  return codeCell(source, { outputs: [{ type: 'display_data', data, metadata: {} }] });
}

/** Opens the page without a network; `heard` is all that the console said and every address that was asked for. */
async function opened(context: TestContext, options: BrowserContextOptions = {}, file = path) {
  const found = have(context, browser, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
  const tab = await found.newContext({ offline: true, ...options });
  const heard: string[] = [];
  const page = await tab.newPage();
  page.on('console', (message) => heard.push(message.text()));
  page.on('pageerror', (error) => heard.push(error.message));
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url())) heard.push(request.url());
  });
  await page.goto(pathToFileURL(file).href);
  return { page, heard, close: () => tab.close() };
}

const allDrawn = (page: Page) => page.locator('figure.chart.drawn').nth(2).waitFor();

/** The first chart as it is drawn now. */
const drawing = (page: Page) => page.locator('figure.chart .live svg.marks').first().innerHTML();

/** page.css's colours of text, and of what it stands on. */
const INKS = [
  ...['text', 'quiet', 'link', 'keyword', 'string', 'number', 'name'].map((name) => `--${name}`),
  ...Array.from({ length: 16 }, (_, i) => `--ansi-${i}`),
];
const PAPERS = ['--page', '--code', '--error', '--warning'];

describe('in Chromium with the network off', () => {
  test('every chart is drawn, the console is silent, and nothing but the page itself is asked for', async (context) => {
    const { page, heard, close } = await opened(context);
    await allDrawn(page);
    expect(await page.locator('figure.chart .live svg.marks').count()).toBe(3);
    expect(await page.locator('figure.chart .still').first().isVisible()).toBe(false);
    expect(heard).toEqual([pathToFileURL(path).href]);
    expect(await page.title()).toBe('A page');
    await close();
  });

  test('an output that asks for something by the network is not let', async (context) => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests++;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const html = `<img src="${address}"><script>fetch("${address}")</script>`;
    const cell = codeCell('asks', { outputs: [{ type: 'display_data', data: { 'text/html': html }, metadata: {} }] });
    const asking = join(folder, 'asking.html');
    writeFileSync(asking, await notebookHtml(notebookOf(cell), { name: 'asking.ipynb', folder }));
    const { heard, close } = await opened(context, { offline: false }, asking);
    const refusals = () => heard.filter((said) => said.includes('Content Security Policy')).length;
    await expect.poll(refusals).toBeGreaterThanOrEqual(2);
    expect(requests).toBe(0);
    await close();
    server.close();
  });

  test('a chart has tooltips, takes a click, and is described', async (context) => {
    const { page, heard, close } = await opened(context);
    await allDrawn(page);
    const chart = page.locator('figure.chart .live svg.marks').first();
    const before = await drawing(page);
    const { width, height } = (await chart.boundingBox()) ?? { width: 0, height: 0 };
    const cell = { x: width * 0.3, y: height * 0.6 };
    await chart.hover({ position: cell });
    await page.locator('#vg-tooltip-element.visible').waitFor();
    expect(await page.locator('#vg-tooltip-element').innerText()).toMatch(/%|share|weight/);
    await chart.click({ position: cell });
    await page.mouse.move(0, 0);
    expect(await drawing(page)).not.toBe(before);
    const described = page.locator('figure.chart [role="graphics-document"]').first();
    expect(await described.getAttribute('aria-label')).toMatch(/attention|looks?/i);
    expect(heard).toHaveLength(1);
    await close();
  });

  test('a narrow screen scrolls down and not sideways; what is wider scrolls by itself, by keyboard too', async (context) => {
    const { page, close } = await opened(context, { viewport: { width: 360, height: 640 } });
    await allDrawn(page);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    const code = page.locator('section.cell pre.code').last();
    expect(await code.getAttribute('tabindex')).toBe('0');
    expect(await page.locator('section.cell pre.code').first().getAttribute('tabindex')).toBeNull();
    await close();
  });

  test('without scripts, and on paper, the pictures of the charts are there', async (context) => {
    const plain = await opened(context, { javaScriptEnabled: false });
    for (const image of await plain.page.locator('figure.chart img').all()) expect(await image.isVisible()).toBe(true);
    expect(await plain.page.locator('figure.chart img').count()).toBe(3);
    await plain.close();

    const { page, close } = await opened(context);
    await allDrawn(page);
    await page.emulateMedia({ media: 'print' });
    expect(await page.locator('figure.chart img').first().isVisible()).toBe(true);
    expect(await page.locator('figure.chart .live svg.marks').first().isVisible()).toBe(false);
    await close();
  });

  test('a dark page keeps its charts on white', async (context) => {
    const { page, close } = await opened(context, { colorScheme: 'dark' });
    const background = (selector: string) =>
      page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).backgroundColor`);
    expect(await background('body')).toBe('rgb(20, 23, 28)');
    expect(await background('figure.chart')).toBe('rgb(255, 255, 255)');
    await close();
  });

  test('text of any colour has a contrast of at least 4.5 to what it stands on, light and dark', async (context) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, close } = await opened(context, { colorScheme });
      const colors: Record<string, string> = {};
      for (const name of [...INKS, ...PAPERS]) {
        colors[name] = await page.evaluate(`getComputedStyle(document.body).getPropertyValue("${name}")`);
        expect(colors[name]).toMatch(/^#[0-9a-f]{6}$/);
      }
      const low = INKS.flatMap((ink) =>
        PAPERS.filter((paper) => contrast(colors[ink], colors[paper]) < 4.5).map((paper) => `${ink} on ${paper}`),
      );
      expect(low, colorScheme).toEqual([]);
      await close();
    }
  });
});

/** WCAG 2's contrast ratio of two colours, `#rrggbb`. */
function contrast(one = '', other = ''): number {
  const [a, b] = [one, other].map(luminance) as [number, number];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: string): number {
  const [r, g, b] = (color.match(/[0-9a-f]{2}/gi) ?? []).map((hex) => {
    const part = Number.parseInt(hex, 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
