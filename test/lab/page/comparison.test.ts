/** The comparison in the page: clicked as a reader would, in Chromium, against a session with the real llama.cpp. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, type TestContext, test } from 'vitest';
import { fault } from '../../../src/engine/faults/index.ts';
import { findChromium } from '../../../src/node/host.ts';
import { openModel } from '../../../src/node/index.ts';
import { oracleAvailable } from '../../../src/oracle/index.ts';
import { have } from '../../skip.ts';
import { backend } from '../inspector/lab_session.ts';
import type { InspectorPage } from './inspector_page.ts';
import { followLink, MODEL, openLilyPage, runCopiedCell } from './lily_page.ts';

const chromium = findChromium();
const folder = mkdtempSync(join(tmpdir(), 'layerscope-page-'));
const TRACE = join(folder, 'faulty.arrow');
let opened: InspectorPage | undefined;

beforeAll(async () => {
  if (!chromium) return;
  const model = await openModel(MODEL, { backend });
  const run = await model
    .with(fault('silu-zero', { layer: 3 }))
    .start('Lily gave the ball to Tom. Tom thanked')
    .toEnd();
  await run.trace.writeArrow(TRACE);
  run.close();
  await model.close();
  opened = await openLilyPage(chromium, { 'faulty.arrow': TRACE });
}, 60_000);
afterAll(async () => {
  await opened?.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => expect(opened?.faults ?? []).toEqual([]));

const lab = (context: TestContext): InspectorPage => have(context, opened, 'no Chromium');
const FAULT = `fault=${encodeURIComponent('rope-pairing:{"layer":2}')}`;
const BACKEND = `backend=${backend}`;

test('before a side is chosen it says what each would tell, and offers none that cannot be', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND);
  await page.getByText('Choose above what this run is held against').waitFor();
  expect(await page.getByRole('button', { name: 'unchanged model' }).isDisabled()).toBe(true);
  expect(await page.getByRole('button', { name: 'Copy as cell' }).isDisabled()).toBe(true);
});

test('beside llama.cpp a healthy run differs by known rounding, and the cell says the same', async (context) => {
  const missing = oracleAvailable();
  if (missing !== null) context.skip(`skipped: ${missing}`);
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND);
  await page.getByRole('button', { name: 'llama.cpp', exact: true }).click();
  await page.locator('.verdict').waitFor({ timeout: 60_000 });
  const said = await page.locator('.verdict').innerText();
  expect(said).toMatch(/^≈ (Precision|Noise): /);
  const { code, shown } = await runCopiedCell(lab(context));
  expect(code).toContain('compare(run, await llamaCpp(model).trace(run.tokens))');
  expect(shown.replace(/\s+/g, ' ')).toContain(said.replace(/^≈ /, ''));
}, 90_000);

test('a fault is found beside the unchanged model: verdict, cause, flag, and a jump that moves the map', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND, FAULT);
  await page.getByRole('button', { name: 'unchanged model' }).click();
  await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 60_000 });
  expect(await page.locator('.cause').innerText()).toMatch(/rope-pairing/);
  const row = page.locator('.tensor-row[data-tensor="Qcur_rope-2"]');
  expect(await row.innerText()).toMatch(/⚑ Qcur_rope-2\s+[\d.e+-]+\s+error made here/);
  await page.locator('.tensor-row[data-tensor="l_out-2"]').click();
  await page.locator('.pair h3', { hasText: 'l_out-2' }).waitFor();
  await page.getByRole('button', { name: 'Jump there' }).click();
  await page.locator('.pair h3', { hasText: 'Qcur_rope-2' }).waitFor();
  expect(page.url()).toContain('step=Qcur_rope-2');
  const { code, shown } = await runCopiedCell(lab(context));
  expect(code).toContain("fault('rope-pairing', { layer: 2 })");
  expect(shown).toMatch(/^Bug: the error is made in Qcur_rope-2/m);
}, 90_000);

test('both sides and the difference are pictures that pointer and keys read off', async (context) => {
  const { page } = lab(context);
  const pictures = page.locator('.heatmap .canvas');
  await pictures.nth(2).waitFor();
  expect(await page.locator('.heatmap figcaption').allInnerTexts()).toEqual([
    'lily-4m-f16.gguf on webgpu'.replace('webgpu', backend),
    'lily-4m-f16.gguf without faults and changes',
    'ours − reference',
  ]);
  await pictures.nth(2).focus();
  await page.keyboard.press('ArrowRight');
  const readOff = page.locator('.heatmaps .read-off');
  await readOff.filter({ hasText: /ours .* reference .* difference/ }).waitFor();
  const first = await readOff.innerText();
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => readOff.innerText()).not.toBe(first);
  await page.keyboard.press('Enter');
  expect(page.url()).toMatch(/token=\d+/);
});

test('the list is filtered, sorted and folded', async (context) => {
  const { page } = lab(context);
  await page.getByLabel('Filter tensors').fill('layer 4 kq');
  await expect
    .poll(() => page.locator('.tensor-row .name').allInnerTexts())
    .toEqual(['kq-4', 'kq_soft_max-4', 'kqv_out-4']);
  await page.getByLabel('Filter tensors').fill('');
  await page.getByLabel('Sort').selectOption('error');
  const first = page.locator('.tensor-row').first();
  await expect.poll(() => first.getAttribute('data-tensor')).not.toBe('embd');
  await page.getByLabel('Sort').selectOption('order');
  await page.locator('summary.layer', { hasText: 'Layer 0' }).click();
  await page.locator('.tensor-row[data-tensor="attn_norm-0"]').waitFor();
});

test('the eliminator names what is left, and runs the probe that it asks for', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND, 'tokens=366', 'bos=false', 'with.comparison.with=healthy');
  await page.locator('.next-probe button').waitFor({ timeout: 60_000 });
  const left = page.locator('.judgements summary').first();
  const before = Number(/(\d+) fault/.exec(await left.innerText())?.[1]);
  expect(before).toBeGreaterThan(5);
  await page.locator('.next-probe button').click();
  await page.getByText('A probe is run in place of the text').waitFor();
  await expect
    .poll(async () => Number(/(\d+) fault/.exec(await left.innerText().catch(() => ''))?.[1] ?? before), {
      timeout: 60_000,
    })
    .toBeLessThan(before);
  await page.getByRole('button', { name: 'Back to the text' }).click();
  await page.getByText('A probe is run in place of the text').waitFor({ state: 'detached' });
}, 90_000);

test('what is refused says why, and is allowed or mended by a click', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND, 'fault=bos-missing', 'with.comparison.with=healthy');
  await page.locator('.verdict[data-verdict="refused"]').waitFor({ timeout: 60_000 });
  expect(await page.locator('.refused').innerText()).toMatch(/tokenise both with it, or both without/);
  await page.getByRole('button', { name: /Compare all the same/ }).click();
  await page.locator('.verdict:not([data-verdict="refused"])').waitFor({ timeout: 60_000 });
  expect(page.url()).toContain('with.comparison.allow=bos');
}, 90_000);

test('a trace of another engine is opened by its path, and charts are drawn when asked for', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND);
  await page.getByText('or with a trace or dump').click();
  await page.getByLabel('with a trace or dump').fill('faulty.arrow');
  await page.getByLabel('with a trace or dump').press('Enter');
  await page.locator('.verdict[data-verdict="bug"]').waitFor({ timeout: 60_000 });
  expect(await page.locator('.first-divergence').innerText()).toContain('ffn_silu-3');
  await page.getByText('Charts: how the error grows').click();
  await page.locator('.charts .chart svg').nth(1).waitFor({ timeout: 60_000 });
}, 120_000);

test('a file that is none is refused in words', async (context) => {
  const { page } = lab(context);
  await followLink(lab(context), 'comparison', BACKEND, 'with.comparison.with=file:nothing.arrow');
  await page.locator('.waiting .failure').waitFor({ timeout: 30_000 });
  expect(await page.locator('.waiting .failure').innerText()).toMatch(/^Cannot open nothing\.arrow: /);
});
