/** The page of a comparison: one file, opened offline, whose charts are drawn; with the traces, also those that need values. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Comparison } from '../../src/compare/comparison.ts';
import { findChromium } from '../../src/node/host.ts';
import { comparisonPage } from '../../src/notebook/comparison_page.ts';
import { patternGiven, toAll, toFirst } from '../charts/patterns.ts';
import { traceWith } from '../charts/specs.ts';
import { bug, bugOf, PIECES, refusedForBos } from '../compare/comparisons.ts';
import { have } from '../skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-comparison-'));
const path = join(folder, 'page.html');
const executablePath = findChromium();
let browser: Browser | undefined;

/** Traces with what logitsBeside and attentionDifference read. */
const tracesOf = (rule: (query: number) => Record<number, number>) =>
  traceWith(
    [
      patternGiven(3, PIECES.length, [toAll, toAll, rule, toAll]),
      {
        name: 'result_output',
        shape: [PIECES.length, 4],
        dims: ['token', 'vocab'],
        data: Array(4 * PIECES.length).fill(1),
      },
    ],
    { pieces: PIECES },
  );
const compared = { ours: tracesOf(toFirst), reference: tracesOf(toAll) };

beforeAll(async () => {
  writeFileSync(path, await comparisonPage(new Comparison(bugOf({ nHead: 4, nHeadKv: 2 }), compared)));
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

test('offline every chart is drawn, the console is silent, and nothing but the page itself is asked for', async (context) => {
  const found = have(context, browser, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
  const tab = await found.newContext({ offline: true });
  const page = await tab.newPage();
  const heard: string[] = [];
  page.on('console', (message) => heard.push(message.text()));
  page.on('pageerror', (error) => heard.push(error.message));
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url())) heard.push(request.url());
  });
  await page.goto(pathToFileURL(path).href);
  await page.locator('figure.chart.drawn').nth(3).waitFor();
  const titles = await page.locator('figure.chart .live svg .role-title-text').allTextContents();
  expect(titles.join('\n')).toMatch(
    /How far ours is.*The size of each tensor.*What may follow 9 ␣thanked.*Where head 2 of layer 3 looks/s,
  );
  expect(heard).toEqual([pathToFileURL(path).href]);
  await tab.close();
});

test('text on the colour of its row has a contrast of at least 4.5, light and dark', async (context) => {
  const found = have(context, browser, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
  for (const colorScheme of ['light', 'dark'] as const) {
    const tab = await found.newContext({ offline: true, colorScheme });
    const page = await tab.newPage();
    await page.goto(pathToFileURL(path).href);
    const [ink, paper, ...tints] = await page.evaluate<string[]>(
      `(({ body }) => [getComputedStyle(body).color, getComputedStyle(body).backgroundColor,
        ...new Set([...body.querySelectorAll('tr[style]')].map((row) => getComputedStyle(row).backgroundColor))])(document)`,
    );
    expect(tints.length).toBe(3);
    for (const tint of tints) {
      expect(contrast(rgb(ink), over(tint, rgb(paper))), `${tint}, ${colorScheme}`).toBeGreaterThanOrEqual(4.5);
    }
    await tab.close();
  }
});

describe('the page as text', () => {
  test('has the scripts of charts only where it has charts', async () => {
    const page = await comparisonPage(refusedForBos);
    expect(page).not.toContain('vegaLite');
    expect(page.length).toBeLessThan(20_000);
    expect(page).toContain('<h1>lily-4m-f16.gguf on webgpu against llama.cpp</h1>');
  });

  test('without the traces leaves out what needs values', async () => {
    const figures = (page: string) => page.match(/<figure class="chart/g)?.length;
    expect(figures(await comparisonPage(bug))).toBe(2);
    expect(figures(await comparisonPage(new Comparison(bug, compared)))).toBe(4);
  });
});

type Rgb = readonly number[];

const rgb = (color = ''): Rgb => (color.match(/[\d.]+/g) ?? []).map(Number);

/** A translucent colour on a paper. */
function over(color: string, paper: Rgb): Rgb {
  const [r = 0, g = 0, b = 0, alpha = 1] = rgb(color);
  return [r, g, b].map((part, i) => alpha * part + (1 - alpha) * (paper[i] ?? 0));
}

/** WCAG 2's contrast ratio. */
function contrast(one: Rgb, other: Rgb): number {
  const [a, b] = [one, other].map(luminance) as [number, number];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(color: Rgb): number {
  const [r = 0, g = 0, b = 0] = color.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
