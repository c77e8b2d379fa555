/**
 * How soon the inspector has drawn what was clicked, on a TinyLlama-shaped Q4_0 model, beside the engine's own time for the same move.
 *
 *   npm run bench -- lab [--json] [--rounds N] [--model FILE]
 *
 * layer     a click on the last step of the next layer of the map, to the frame in which its cell is coloured and its values are
 *           drawn; the layers of a run one after the other, the round's median
 * step      the same of the next step
 * look      a click on a step that was computed before
 * paint     from the page's address to the first contentful paint, as Chromium notes it, in a fresh page
 * opening   from the page's address to the map, in the same page: the model is opened and its first layer run
 *
 * The engine's time is that of `run.layer(i)` in this process, statistics included, in turns with the page's.
 */
import { cpSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { chromium } from 'playwright-core';
import { startLab } from '../../dist/lab/server/index.js';
import { findChromium } from '../../dist/node/host.js';
import { openModel } from '../../dist/node/index.js';
import { median, ratios, say, spread } from './figures.mjs';
import { benchmarkModel } from './model.mjs';

/** @typedef {import('playwright-core').Page} Page */

const TEXT = 'once there was a small bird that could not sing';
/** Layers that are clicked; the first run of layer 0 compiles. */
const LAYERS = [2, 3, 4, 5, 6, 7];

/**
 * @param {{ rounds: number, model?: string }} options
 * @returns {Promise<import('./figures.mjs').Report>}
 */
export async function measureLab({ rounds, model: file }) {
  const path = file ?? (await benchmarkModel());
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('Cannot measure the lab: no Chromium is on this machine; set LAYERSCOPE_CHROMIUM');
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-bench-'));
  const [root, state] = [join(folder, 'root'), join(folder, 'state')];
  mkdirSync(root);
  const name = basename(path);
  putInto(root, path, name);
  const lab = await startLab({ root, state, port: 0, log: () => {} });
  const browser = await chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-quic'] });
  const model = await openModel(path);
  /** @type {Record<'layer' | 'step' | 'look' | 'paint' | 'opening' | 'engine', number[]>} */
  const found = { layer: [], step: [], look: [], paint: [], opening: [], engine: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      const began = performance.now();
      await page.goto(
        `${lab.url}#${new URLSearchParams({ inspect: '1', model: name, text: TEXT, at: 'l_out-0', view: 'step' })}`,
      );
      await page.locator('[data-step="l_out-0"].computed').waitFor({ timeout: 120_000 });
      found.opening.push((performance.now() - began) / 1000);
      found.paint.push((await firstPaint(page)) / 1000);
      await drawn(page, 'l_out-1');
      const layers = [];
      for (const layer of LAYERS) layers.push(await drawn(page, `l_out-${layer}`));
      found.layer.push(median(layers));
      const next = (LAYERS.at(-1) ?? 0) + 1;
      found.step.push(median([await drawn(page, `attn_norm-${next}`), await drawn(page, `Qcur-${next}`)]));
      found.look.push(
        median([await drawn(page, 'l_out-1'), await drawn(page, 'ffn_out-2'), await drawn(page, 'Kcur-3')]),
      );
      await page.close();
      found.engine.push(await engineLayer(model));
    }
  } finally {
    await browser.close();
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const { adapter } = model.backend;
  return {
    on: `${adapter}`,
    how: `Chromium ${browser.version()}; ${rounds} rounds, in turns`,
    facts: { adapter, model: path, chromium: browser.version(), rounds },
    rows: [
      ['click to drawn layer, ms', 'layer', spread(found.layer), 1],
      ["  the engine's own time", 'layerEngine', spread(found.engine), 1],
      ['  ratio', 'layerRatio', spread(ratios(found.layer, found.engine)), 2],
      ['click to drawn step, ms', 'step', spread(found.step), 1],
      ['click to a step computed before, ms', 'look', spread(found.look), 1],
      ['address to first paint, s', 'firstPaint', spread(found.paint), 2],
      ['address to map with layer 0, s', 'opening', spread(found.opening), 2],
    ],
  };
}

/**
 * @param {Page} page
 * @returns {Promise<number>} milliseconds from the page's address to its first contentful paint
 */
function firstPaint(page) {
  return page.evaluate(() => {
    const paint = performance.getEntriesByName('first-contentful-paint')[0];
    if (!paint) throw new Error('Cannot measure the first paint: Chromium noted none');
    return paint.startTime;
  });
}

/**
 * Clicks a step of the map.
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<number>} milliseconds to the frame in which its cell and its values are drawn
 */
function drawn(page, name) {
  return page.evaluate(async (step) => {
    const { document, requestAnimationFrame } = /** @type {any} */ (globalThis);
    const cell = document.querySelector(`[data-step="${step}"]`);
    const isDrawn = () =>
      cell.classList.contains('computed') &&
      document.querySelector('.step-name h3')?.textContent === step &&
      document.querySelector('.inspector .histogram') !== null;
    const began = performance.now();
    cell.dispatchEvent(new /** @type {any} */ (globalThis).MouseEvent('click', { bubbles: true }));
    do {
      await new Promise((resolve) => requestAnimationFrame(resolve));
    } while (!isDrawn());
    return performance.now() - began;
  }, name);
}

/**
 * @param {import('../../dist/node/index.js').Model} model
 * @returns {Promise<number>} milliseconds of a layer, the median of those that the page clicks
 */
async function engineLayer(model) {
  const run = model.start(TEXT);
  await run.layer(1);
  const times = [];
  for (const layer of LAYERS) {
    const began = performance.now();
    await run.layer(layer);
    times.push(performance.now() - began);
  }
  run.close();
  return median(times);
}

/** @param {string} root @param {string} path @param {string} name */
function putInto(root, path, name) {
  try {
    linkSync(path, join(root, name));
  } catch {
    cpSync(path, join(root, name)); // on another disk
  }
}
