/** Faults and blind mode in the page, in Chromium, as a reader clicks through them. */
import { afterAll, afterEach, beforeAll, expect, type TestContext, test } from 'vitest';
import { faults } from '../../../src/engine/faults/index.ts';
import { findChromium } from '../../../src/node/host.ts';
import { seriousFaults } from '../../browser/axe.ts';
import { have } from '../../skip.ts';
import { backend } from '../inspector/lab_session.ts';
import type { InspectorPage } from './inspector_page.ts';
import { followLink, openLilyPage, runCopiedCell } from './lily_page.ts';

const chromium = findChromium();
let opened: InspectorPage | undefined;

beforeAll(async () => {
  if (chromium) opened = await openLilyPage(chromium);
}, 60_000);
afterAll(() => opened?.close());
afterEach(() => expect(opened?.faults ?? []).toEqual([]));

const lab = (context: TestContext): InspectorPage => have(context, opened, 'no Chromium');
const BACKEND = `backend=${backend}`;

/** The inspector's whole HTML, without the eliminator's lists of all faults. */
const PANE_WITHOUT_FAULTS = `(() => {
  const pane = document.querySelector('.inspector').cloneNode(true);
  for (const list of pane.querySelectorAll('.judgements')) list.remove();
  return pane.outerHTML;
})()`;

test('every fault has a page, found by its words in either language', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'faults', BACKEND);
  await expect.poll(() => page.locator('.fault-list li').count()).toBe(faults.length);
  const search = page.getByLabel('Search the faults');
  await search.fill('causal');
  await expect.poll(() => page.locator('.fault-list li').count()).toBeLessThan(faults.length);
  await page.locator('[data-fault="no-causal-mask"]').click();
  await page.locator('.fault-page h3').waitFor();
  const english = await page.locator('.fault-page h3').innerText();
  await page.getByLabel('Language of the pages').selectOption('ja');
  const page48 = faults.find(({ name }) => name === 'no-causal-mask');
  expect(english).toBe(page48?.title);
  await expect.poll(() => page.locator('.fault-page h3').innerText()).toBe(page48?.ja.title);
  await search.fill(page48?.ja.title.slice(0, 4) ?? '');
  await page.locator('[data-fault="no-causal-mask"]').waitFor();
  await page.getByLabel('Language of the pages').selectOption('en');
  await search.fill('');
});

test('one is switched on, watched from its first tensor on, and off again the model has every bit as before', async (context) => {
  const { page } = lab(context);
  await page.locator('[data-fault="rope-pairing"]').click();
  await page.locator('.fault-page').getByLabel('layer').fill('2');
  await page.getByRole('button', { name: 'Switch on and watch' }).click();
  await page.locator('.drawn svg').waitFor({ timeout: 60_000 });
  expect(await page.locator('.spread').innerText()).toMatch(
    /First touched: Qcur_rope-2\. The \d+ tensors before it agree in every bit/,
  );
  const coloured = () => page.locator('.drawn rect[data-name]:not([fill="transparent"])').count();
  const all = await coloured();
  expect(all).toBeGreaterThan(100);
  await page.getByLabel('Up to which step').fill('10');
  await expect.poll(coloured).toBe(0);
  await page.getByRole('button', { name: 'Play' }).click();
  await expect.poll(coloured, { timeout: 30_000 }).toBe(all);
  await page.getByRole('button', { name: 'Jump there' }).click();
  expect(page.url()).toContain('step=Qcur_rope-2');
  const { code, shown } = await runCopiedCell(lab(context));
  expect(code).toContain("model.with(fault('rope-pairing', { layer: 2 }))");
  expect(shown).toMatch(/^Bug: the error is made in Qcur_rope-2/m);
  await page.getByRole('button', { name: 'Switch off' }).click();
  const off = page.locator('.off-again .verdict');
  await off.waitFor({ timeout: 60_000 });
  expect(await off.innerText()).toMatch(
    /rope-pairing is off\. Run anew, (\d+) of \1 tensors have every bit that they had before/,
  );
}, 120_000);

test('a parameter that a model cannot have is refused in words, and nothing is switched on', async (context) => {
  const { page } = lab(context);
  await page.locator('[data-fault="rope-base"]').click();
  await page.locator('.fault-page').getByLabel('base', { exact: true }).fill('-1');
  await page.getByRole('button', { name: 'Switch on and watch' }).click();
  await page.getByText('Cannot make fault rope-base: its parameter base is -1; wanted a positive number').waitFor();
  expect(page.url()).not.toContain('fault=rope-base');
});

test('a fault of the tokens says what it changes in place of a drawing', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'faults', BACKEND, 'fault=bos-doubled');
  await page.locator('.switched .refused').waitFor({ timeout: 60_000 });
  expect(await page.locator('.switched .refused').innerText()).toMatch(
    /It changes the tokens before the model sees them/,
  );
});

test('in blind mode nothing on the page names the fault until a suspect is submitted', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'blind', BACKEND);
  await page.getByLabel('Seed').fill('5');
  await page.getByRole('button', { name: 'Hide a fault' }).click();
  await page.locator('.suspects').waitFor({ timeout: 90_000 });
  expect(page.url()).toContain('hunt=easy:5');
  // What the views show of the broken engine, but for the list of all faults.
  const seen: string[] = [page.url()];
  for (const tab of ['Step', 'Comparison']) {
    await page.getByRole('tab', { name: tab }).click();
    if (tab === 'Comparison') {
      await page.getByRole('button', { name: 'unchanged model' }).click();
      await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 60_000 });
    }
    seen.push(`${await page.evaluate(PANE_WITHOUT_FAULTS)}`);
  }
  await page.getByRole('tab', { name: 'Blind mode' }).click();
  await page.locator('.suspects input[value="rope-on-v"]').click();
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.locator('.result').waitFor({ timeout: 60_000 });
  const result = await page.locator('.result').innerText();
  const drawn = /It was ([\w-]+)/.exec(result)?.[1] as string;
  expect(faults.map(({ name }) => name)).toContain(drawn);
  expect(result).toMatch(/\d+ of 100[\s\S]*Shortest path: /);
  for (const html of seen) expect(html).not.toContain(drawn);
  await page.getByRole('button', { name: 'Watch where it goes' }).click();
  await page.locator('.drawn svg').waitFor({ timeout: 60_000 });
  expect(page.url()).not.toContain('hunt=');
  expect(page.url()).toContain(`fault=${drawn}`);
}, 180_000);

test('a hunt is a cell too, and is given up without being told', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'blind', BACKEND, 'hunt=easy:5');
  await page.locator('.suspects').waitFor({ timeout: 90_000 });
  const { code, shown } = await runCopiedCell(lab(context));
  expect(code).toContain("bugHunt({ model: healthy, seed: 5, level: 'easy' })");
  expect(shown).toMatch(/result_output/);
  await page.getByRole('button', { name: 'Give up' }).click();
  await page.getByRole('button', { name: 'Hide a fault' }).waitFor();
  expect(page.url()).not.toContain('hunt=');
}, 120_000);

test('axe finds nothing serious in these views, light or dark', async (context) => {
  const { page, setTheme } = lab(context);
  const links = [
    [
      'comparison',
      '.measures',
      `fault=${encodeURIComponent('rope-pairing:{"layer":2}')}`,
      'with.comparison.with=healthy',
    ],
    ['faults', '.drawn svg', 'fault=silu-zero'],
    ['blind', '.suspects', 'hunt=easy:5'],
  ] as const;
  for (const [view, there, ...more] of links) {
    await followLink(lab(context), view, BACKEND, ...more);
    await page.locator(there).waitFor({ timeout: 60_000 });
    for (const theme of ['light', 'dark'] as const) {
      await setTheme(theme);
      expect(await seriousFaults(page, { include: ['.view'] }), `${view}, ${theme}`).toEqual([]);
    }
    await setTheme('light');
  }
}, 120_000);
