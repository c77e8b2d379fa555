/**
 * The pages without a server, in Chromium with WebGPU on SwiftShader and without: the static page from an address, and
 * layerscope.html from a disk.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { joinBytes } from '../../../src/gguf/bytes.ts';
import { modelShapes, randomModel } from '../../../src/gguf/random_model.ts';
import { buildPages } from '../../../src/lab/build_pages.mjs';
import { LESSON_TITLE, stops } from '../../../src/lab/page/alone/stops.ts';
import { findChromium } from '../../../src/node/host.ts';
import { openModel } from '../../../src/node/index.ts';
import { seriousFaults } from '../../browser/axe.ts';
import { type OpenPage, openPage } from '../../browser/page.ts';
import { relativeRmsError } from '../../engine/models.ts';
import { have } from '../../skip.ts';
import { seeLoss } from '../page/lost_gpu.ts';
import { eventually } from '../page/notebook_page.ts';
import { wholeRun } from '../page/whole_run.ts';

const TEXT = 'Lily gave the ball to Tom. Tom thanked';
const MODEL = 'lily-4m-q8_0.gguf';

/** DESIGN's "What agreement means": 1e-5 end to end. */
const TOLERANCE = 1e-5;

const chromium = findChromium();
const NO_CHROMIUM = 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM';
let folder: string;
let inPage: string;
let reference: Map<string, Float32Array>;
const served: Record<string, Uint8Array> = {};
const opened: Partial<Record<'with' | 'without', OpenPage>> = {};

beforeAll(async () => {
  if (!chromium) return;
  folder = await mkdtemp(join(tmpdir(), 'layerscope-pages-'));
  await buildPages(folder);
  for (const name of await readdir(folder, { recursive: true })) {
    if (/\.\w+$/.test(name)) served[`/${name.replaceAll('\\', '/')}`] = await readFile(join(folder, name));
  }
  inPage = await bundle();
  const model = await openModel(fileURLToPath(new URL(`../../../fixtures/${MODEL}`, import.meta.url)), {
    backend: 'reference',
  });
  const run = await model.start(TEXT).toEnd();
  reference = new Map();
  for (const name of run.trace.names) reference.set(name, (await run.trace.tensor(name)).data);
  opened.with = await openPage(chromium, served);
  opened.without = await openPage(chromium, served, { webgpu: false });
});
afterAll(async () => {
  await opened.with?.close();
  await opened.without?.close();
  if (folder) await rm(folder, { recursive: true });
});

/** Every tensor of one pass over a text, by an engine of its own as the page starts it. A page's types are not a test's. */
const IN_PAGE = `
import { startEngine } from './alone/engine.ts';
import { connectionOver } from './inspector/connection.ts';

globalThis.tensorsThrough = async (model, text) => {
  const [engine, inside] = ['engine', 'model'].map((id) => document.getElementById(id)?.textContent);
  const { port } = await startEngine(engine ? { text: engine } : { url: 'engine.js' });
  const connection = connectionOver(port);
  if (inside) {
    const bytes = Uint8Array.from(atob(inside.trim()), (character) => character.charCodeAt(0));
    await connection.drop(new File([bytes], model));
  }
  const experiment = { file: model, backend: 'webgpu', text, faults: [], changes: [] };
  const { backend, notice } = await connection.ask('open', experiment);
  const { rows } = await connection.ask('move', { experiment, move: { to: 'end' } });
  const tensors = {};
  for (const { name } of rows) tensors[name] = Array.from((await connection.ask('tensor', { experiment, name })).data);
  return { backend: backend.name, notice, tensors };
};`;

interface Answered {
  readonly backend: string;
  readonly notice: string | null;
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

async function bundle(): Promise<string> {
  const resolveDir = fileURLToPath(new URL('../../../src/lab/page/', import.meta.url));
  const stdin = { contents: IN_PAGE, resolveDir };
  const { outputFiles } = await build({ stdin, bundle: true, platform: 'browser', format: 'iife', write: false });
  return outputFiles[0]?.text ?? '';
}

/** What must not happen in a page: errors in its console, and requests to anywhere but itself. */
function watched(page: Page, own: string): string[] {
  const found: string[] = [];
  page.on('console', (message) => message.type() === 'error' && found.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => found.push(`thrown: ${error.message}`));
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(own)) found.push(`asked ${request.url()}`);
  });
  return found;
}

async function newPage({ page }: OpenPage): Promise<Page> {
  const browser = page.context().browser();
  if (!browser) throw new Error('the browser was closed');
  return browser.newPage({ viewport: { width: 1280, height: 720 } });
}

const single = (): string => pathToFileURL(join(folder, 'layerscope.html')).href;

/** In the page at an address: the tensors through its engine, and what must not happen. */
async function answersIn(
  browser: OpenPage,
  url: string,
  own: string,
): Promise<Answered & { readonly wrong: string[] }> {
  const page = await newPage(browser);
  const wrong = watched(page, own);
  await page.goto(url);
  await page.evaluate(inPage);
  const { tensors, ...answered } = await page.evaluate<
    Omit<Answered, 'tensors'> & { readonly tensors: Readonly<Record<string, number[]>> }
  >(`tensorsThrough(${JSON.stringify(MODEL)}, ${JSON.stringify(TEXT)})`);
  await page.close();
  const values = Object.entries(tensors).map(([name, data]) => [name, Float32Array.from(data)] as const);
  return { ...answered, tensors: new Map(values), wrong };
}

function mustAgree(tensors: ReadonlyMap<string, Float32Array>): void {
  expect([...tensors.keys()]).toEqual([...reference.keys()]);
  for (const [name, values] of reference) {
    expect(relativeRmsError(tensors.get(name) ?? new Float32Array(), values), name).toBeLessThan(TOLERANCE);
  }
}

describe('tensors through the engine’s worker agree with Node’s to 1e-5 end to end', () => {
  test('on WebGPU in the static page', async (context) => {
    const browser = have(context, opened.with, NO_CHROMIUM);
    const { backend, notice, tensors, wrong } = await answersIn(
      browser,
      `${browser.origin}/index.html`,
      browser.origin,
    );
    expect({ backend, notice, wrong }).toEqual({ backend: 'webgpu', notice: null, wrong: [] });
    mustAgree(tensors);
  });

  test('on WebGPU in layerscope.html from a disk', async (context) => {
    const browser = have(context, opened.with, NO_CHROMIUM);
    const { backend, notice, tensors, wrong } = await answersIn(browser, single(), single());
    expect({ backend, notice, wrong }).toEqual({ backend: 'webgpu', notice: null, wrong: [] });
    mustAgree(tensors);
  });

  test('without WebGPU on the reference, and the page is told', async (context) => {
    const browser = have(context, opened.without, NO_CHROMIUM);
    const { backend, notice, tensors, wrong } = await answersIn(browser, single(), single());
    expect({ backend, wrong }).toEqual({ backend: 'reference', wrong: [] });
    expect(notice).toMatch(/^Runs on the reference backend, .* because there is no WebGPU here\. Cannot open a GPU: /);
    mustAgree(tensors);
  });
});

describe('the lesson in layerscope.html from a disk', () => {
  test.for(['with', 'without'] as const)(
    '%s WebGPU it goes from its first stop to its last and back, in both languages, and nothing goes wrong',
    async (webgpu, context) => {
      const page = await newPage(have(context, opened[webgpu], NO_CHROMIUM));
      const wrong = watched(page, single());
      await page.goto(single());
      const lesson = page.getByRole('region', { name: LESSON_TITLE.en });
      const heading = lesson.getByRole('heading', { level: 2 });
      const next = lesson.getByRole('button', { name: 'Next' });
      const inspector = page.getByRole('main');
      await inspector.getByText(`256 dimensions; on ${webgpu === 'with' ? 'webgpu' : 'reference'}`).waitFor();
      const told = inspector.getByText('Runs on the reference backend, in f64 on the CPU');
      expect(await told.count()).toBe(webgpu === 'with' ? 0 : 1);
      for (const [index, { title, says, choice }] of stops.entries()) {
        if (index > 0) await next.click();
        await expect.poll(() => heading.textContent()).toBe(title.en);
        expect(await lesson.getByText(says.en).count()).toBe(1);
        // Below the map stands the step that is looked at.
        await inspector.getByText(choice.step, { exact: true }).first().waitFor();
        expect(await inspector.getByRole('alert').textContent()).toBe('');
      }
      expect(await next.isDisabled()).toBe(true);
      // What is being replaced is drawn pale.
      await expect.poll(() => inspector.locator('[aria-busy=true]').count()).toBe(0);
      expect(await seriousFaults(page)).toEqual([]);
      await lesson.getByRole('button', { name: 'Back' }).click();
      await lesson.getByRole('button', { name: '日本語' }).click();
      const japanese = page.getByRole('region', { name: LESSON_TITLE.ja });
      const said = stops.at(-2)?.says.ja ?? '';
      await expect.poll(() => japanese.getByText(said).count()).toBe(1);
      expect(await japanese.getAttribute('lang')).toBe('ja');
      await japanese.getByRole('combobox').selectOption('0');
      await expect.poll(() => japanese.getByText(stops[0]?.says.ja ?? '').count()).toBe(1);
      expect(wrong).toEqual([]);
      await page.close();
    },
  );
});

describe('where no worker may run', () => {
  test('the page itself computes, and says so', async (context) => {
    const page = await newPage(have(context, opened.without, NO_CHROMIUM));
    const wrong = watched(page, single());
    await page.addInitScript('Worker = class { constructor() { throw new Error("workers are off"); } };');
    await page.goto(single());
    await page.getByText('This browser runs no worker here (workers are off)').waitFor();
    await page.getByRole('main').getByText('256 dimensions; on reference').waitFor();
    expect(wrong).toEqual([]);
    await page.close();
  });
});

test('under a GPU process that crashes, the static page says what to do and comes to the same tensors: on a new device, without one on the reference, and loaded again on a GPU', {
  timeout: 120_000,
}, async (context) => {
  const browser = await openPage(have(context, chromium ?? undefined, NO_CHROMIUM), served);
  onTestFinished(() => browser.close());
  const { page } = browser;
  const protocol = await page.context().browser()?.newBrowserCDPSession();
  await page.goto(`${browser.origin}/index.html#inspect=1&model=${MODEL}&text=${encodeURIComponent(TEXT)}&step=embd`);
  const runsOn = (what: RegExp) => eventually(() => page.locator('.opened-as').textContent()).toMatch(what);
  const ON_GPU = /256 dimensions; on webgpu, \S/;
  await runsOn(ON_GPU);
  await eventually(() => page.locator('.numbers span').count()).toBeGreaterThan(0);
  const before = await wholeRun(page);
  const crash = async () => {
    // The process that ends does not say that it obeyed.
    void protocol?.send('Browser.crashGpuProcess').catch(() => {});
    await seeLoss(page);
  };

  await crash();
  await runsOn(ON_GPU);
  const after = await wholeRun(page);
  expect(after).toEqual(before);
  mustAgree(after);

  // Chromium gives a page no adapter any more after the second crash within two minutes.
  await crash();
  await runsOn(/; on reference, .* Runs on the reference backend, .* load the page again/);
  mustAgree(await wholeRun(page));

  await page.reload();
  await runsOn(ON_GPU);
  mustAgree(await wholeRun(page));
});

test('a model that does not lie beside the static page is an error with the cure, and a broken engine too', async (context) => {
  const browser = have(context, opened.with, NO_CHROMIUM);
  const page = await newPage(browser);
  await page.route('**/engine.js', (route) => route.abort());
  await page.goto(`${browser.origin}/index.html`);
  await page.getByRole('alert').filter({ hasText: 'Cannot load engine.js: load the page again' }).waitFor();
  await page.unroute('**/engine.js');
  await page.goto(`${browser.origin}/index.html`);
  await page.evaluate(inPage);
  const asked = page.evaluate('tensorsThrough("elsewhere.gguf", "Lily")');
  await expect(asked).rejects.toThrow('Cannot open elsewhere.gguf: the server of this page answers 404. Drop the file');
  await page.close();
});

test('on the static page the model beside it, a dropped model and a dropped trace are opened, and nothing leaves', async (context) => {
  const browser = have(context, opened.with, NO_CHROMIUM);
  const page = await newPage(browser);
  const wrong = watched(page, browser.origin);
  await page.goto(`${browser.origin}/index.html`);
  const main = page.getByRole('main');
  await page.getByRole('combobox', { name: 'Model' }).selectOption(MODEL);
  await main.getByText('256 dimensions; on webgpu').waitFor();
  const random = Buffer.from(await joinBytes(randomModel({ ...modelShapes.awkward, type: 'F32', seed: 7 })));
  const choose = (name: string, buffer: Buffer) =>
    page.locator('input[type=file]').first().setInputFiles({ name, mimeType: 'application/octet-stream', buffer });
  await choose('random.gguf', random);
  await main.getByText('2 layers, 5 heads').waitFor();
  await choose(
    'llama_cpp.arrow',
    await readFile(new URL('../../../fixtures/golden/lily-4m-f16.arrow', import.meta.url)),
  );
  await main.getByText('A trace, computed on').waitFor();
  expect(await main.getByRole('alert').textContent()).toBe('');
  await choose('broken.gguf', random.subarray(0, 3000));
  await main
    .getByRole('alert')
    .filter({ hasText: /^Cannot read broken\.gguf: / })
    .waitFor();
  expect(wrong).toEqual([]);
  await page.close();
});
