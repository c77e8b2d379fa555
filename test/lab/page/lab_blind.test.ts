/** Blind mode in the real lab leaks nothing: not in the page, the address, a copied cell, nor a frame of the inspector's socket. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { faults } from '../../../src/engine/faults/index.ts';
import { findChromium } from '../../../src/node/host.ts';
import { have } from '../../skip.ts';
import { OpenLab } from './lab.ts';
import { cellAt, eventually, outputAt, sourcesOf, writeNotebook } from './notebook_page.ts';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const MODEL = 'lily-4m-f16.gguf';
const NOTEBOOK = 'hunt.ipynb';
const TABS = ['Step', 'Attention', 'Next token', 'Growth', 'Edit', 'Comparison', 'Faults', 'Blind mode'];

const chromium = findChromium();
let lab: OpenLab | undefined;

beforeAll(async () => {
  if (chromium) lab = await OpenLab.open(chromium, { models: [MODEL], size: { width: 1600, height: 900 } });
});
afterAll(() => lab?.close());
afterEach(() => {
  expect(lab?.errors.splice(0) ?? []).toEqual([]);
});

/** The HTML of what tells of this model; the lists of all faults, in which each stands, are left out. */
const PANE = `(() => {
  const pane = document.querySelector('.inspector').cloneNode(true);
  for (const list of pane.querySelectorAll('.judgements, .fault-list, .fault-page, .suspects')) list.remove();
  return pane.outerHTML;
})()`;

async function idle(page: Page): Promise<void> {
  await page.locator('.map-body').waitFor();
  for (const busy of ['.working progress', '.waiting progress', '.inspector [aria-busy="true"]']) {
    await eventually(() => page.locator(busy).count()).toBe(0);
  }
}

test('nothing tells the fault of a hunt before a suspect is submitted', async (context) => {
  const opened = have(context, lab, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
  writeNotebook(opened.root, NOTEBOOK, ['1 + 1']);
  const page = await opened.page(NOTEBOOK);
  // Everything that the session says, but the answers that list all faults to choose from.
  const frames: string[] = [];
  page.on('websocket', (socket) => {
    if (!socket.url().includes('/inspector/socket')) return;
    socket.on('framereceived', ({ payload }) => frames.push(Buffer.from(payload as Buffer).toString('latin1')));
  });
  await page.reload();
  await page.locator('.file select').selectOption(MODEL);
  await idle(page);
  await page.getByRole('tab', { name: 'Blind mode' }).click();
  await page.getByLabel('Seed').fill('5');
  await page.getByRole('button', { name: 'Hide a fault' }).click();
  await page.locator('.suspects').waitFor({ timeout: 90_000 });
  await idle(page);
  const seen: string[] = [];
  for (const tab of TABS) {
    await page.getByRole('tab', { name: tab, exact: true }).click();
    await idle(page);
    if (tab === 'Comparison') {
      await page.getByRole('button', { name: 'unchanged model' }).click();
      await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 90_000 });
      await page.getByRole('button', { name: 'Jump there' }).click();
      await idle(page);
      await page.getByRole('button', { name: 'Copy as cell' }).click();
      await eventually(() => cellAt(page, 1).locator('.cm-content').textContent()).toContain('bugHunt(');
    }
    seen.push(`${tab} ${page.url()} ${await page.evaluate<string>(PANE)}`);
  }
  await page.getByRole('tab', { name: 'Step', exact: true }).click();
  await page.locator('[data-step="Qcur_rope-2"]').click();
  await idle(page);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Whole run' }).click(),
  ]);
  expect(await download.failure()).toBeNull();
  seen.push(...(await sourcesOf(page)));
  // The cell names suspects with the eliminator, as the page does, and no cause.
  await cellAt(page, 1).locator('.cm-content').click();
  await page.locator('[data-action="run"]').click();
  await eventually(() => outputAt(page, 1)).toMatch(/Bug: /);
  expect(await outputAt(page, 1)).not.toMatch(/Cause(, one of several)?: |Suspicion: /);

  const before = frames.length;
  await page.getByRole('tab', { name: 'Blind mode' }).click();
  await page.locator('.suspects input[value="rope-on-v"]').click();
  await page.getByRole('button', { name: 'Submit' }).click();
  await page.locator('.result').waitFor({ timeout: 60_000 });
  const drawn = /It was ([\w-]+)/.exec(await page.locator('.result').innerText())?.[1] ?? '';
  expect(faults.map(({ name }) => name)).toContain(drawn);
  for (const text of seen) expect(text, text.slice(0, 40)).not.toContain(drawn);
  // A frame that names nearly all of them tells nothing.
  const listsAll = (frame: string) => faults.filter(({ name }) => frame.includes(name)).length > faults.length / 4;
  const telling = frames.slice(0, before).filter((frame) => frame.includes(drawn) && !listsAll(frame));
  expect(telling.map((frame) => frame.slice(0, 300))).toEqual([]);
  expect(frames.slice(before).some((frame) => frame.includes(drawn))).toBe(true);
});
