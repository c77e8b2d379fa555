/** The inspector in Chromium, over a session in this process: every capability clicked as a user does. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Download, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bytesSource, joinBytes } from '../../../src/gguf/bytes.ts';
import { randomModel } from '../../../src/gguf/random_model.ts';
import type { FromSession, ToSession } from '../../../src/lab/inspector/port.ts';
import { fromBytes, toBytes } from '../../../src/lab/inspector/wire.ts';
import { findChromium } from '../../../src/node/host.ts';
import { openModel } from '../../../src/node/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { seriousFaults } from '../../browser/axe.ts';
import { have } from '../../skip.ts';
import { type InspectorPage, type LabFiles, openInspectorPage } from './inspector_page.ts';

const MODEL = 'fixtures/lily-4m-q8_0.gguf';
const DEEP = 'models/deep.gguf';
const path = fileURLToPath(new URL(`../../../${MODEL}`, import.meta.url));

const chromium = findChromium();
let lab: InspectorPage;
let page: Page;

beforeAll(async () => {
  if (!chromium) return;
  const shape = { nLayer: 80, nEmbd: 32, nHead: 2, nHeadKv: 1, nFf: 32, nVocab: 320 };
  const files: LabFiles = {
    [MODEL]: path,
    [DEEP]: await joinBytes(randomModel({ ...shape, type: 'F32', seed: 3 })),
    'broken.gguf': new TextEncoder().encode('GGUF and then nothing that is one'),
    'notes.txt': new TextEncoder().encode('not for the inspector'),
  };
  lab = await openInspectorPage(chromium, files);
  page = lab.page;
  page.setDefaultTimeout(15_000);
});
afterAll(() => lab?.close());

beforeEach((context) => {
  have(context, chromium, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
});
afterEach(() => {
  expect(lab?.faults ?? []).toEqual([]);
});

/** An empty inspector, or one that has opened what a hash says. */
async function visit(hash = ''): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.goto('about:blank');
  await page.goto(`${lab.url}${hash}`);
}

/** The shipped model, run to its end. */
async function visitModel(): Promise<void> {
  await visit();
  await page.locator('.file select').selectOption(MODEL);
  await idle();
}

/** Waits until the run stands and nothing is asked for any more. */
async function idle(): Promise<void> {
  await page.locator('.map-body').waitFor();
  await counts('.working progress', 0);
  await counts('[aria-busy="true"]', 0);
}

/** Waits until there are so many of them. */
async function counts(selector: string, count: number): Promise<void> {
  await expect.poll(() => page.locator(selector).count(), { timeout: 15_000 }).toBe(count);
}

/** Waits until the step view shows that step. */
async function stepIs(name: string): Promise<void> {
  await page
    .locator('.step h3', { hasText: new RegExp(`^${name}$`) })
    .first()
    .waitFor();
}

/** A script of the page: how many pixels an element's content is larger than itself. */
const beyond = (selector: string, size: 'Width' | 'Height'): string =>
  `(({ scroll${size}, client${size} }) => scroll${size} - client${size})(document.querySelector('${selector}'))`;

/** A script of the page: clicks a step and gives the milliseconds until it is drawn as chosen. */
const untilDrawn = (name: string): string => `(async () => {
  const start = performance.now();
  document.querySelector('[data-step="${name}"]').dispatchEvent(new MouseEvent('click', { bubbles: true }));
  while (!document.querySelector('[data-step="${name}"][aria-selected="true"]')) await new Promise(requestAnimationFrame);
  return performance.now() - start;
})()`;

const cell = (name: string): Locator => page.locator(`[data-step="${name}"]`);
const button = (name: string): Locator => page.getByRole('button', { name, exact: true });
const shownStep = (): Locator => page.locator('.step h3').first();
const banner = (): Locator => page.locator('.banner p');

async function goTo(name: string): Promise<void> {
  await cell(name).click();
  await stepIs(name);
  await idle();
}

describe('opening', () => {
  test('lists the models and traces of the folder and its folders, and nothing else', async () => {
    await visit();
    await counts('.file option', 4);
    const options = await page.locator('.file option').allTextContents();
    expect(options).toEqual(['Choose a model or a trace', 'broken.gguf', MODEL, DEEP]);
  });

  test('a model that is chosen runs to its end: the map is full, the sizes are told', async () => {
    await visitModel();
    expect(await page.locator('.cell').count()).toBe(111);
    expect(await page.locator('.cell.computed').count()).toBe(111);
    expect(await page.locator('.opened-as').textContent()).toContain(
      '6 layers, 8 heads over 2 of keys, 256 dimensions',
    );
    expect(await button('Step →').isDisabled()).toBe(true);
  });

  test('a file from this computer is read from the page, and its name is offered from then on', async () => {
    await visit();
    await page.locator('input[type=file]').setInputFiles({
      name: 'mine.gguf',
      mimeType: 'application/octet-stream',
      buffer: await readFile(path),
    });
    await idle();
    expect(await page.locator('.file select').inputValue()).toBe('mine.gguf');
    expect(await page.locator('.file option').allTextContents()).toContain('mine.gguf (from this computer)');
    await button('Copy as cell').click();
    expect((await lab.cells()).at(-1)).toContain('// mine.gguf was given to the page from your computer');
  });

  test('a file that is dropped anywhere on the pane is opened', async () => {
    await visit();
    const bytes = [...(await readFile(path))];
    const dropped = await page.evaluateHandle(`(() => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(${JSON.stringify(bytes.slice(0, 64))})], 'cut.gguf'));
      return data;
    })()`);
    await page.locator('.first-words').dispatchEvent('drop', { dataTransfer: dropped });
    await banner().waitFor();
    expect(await banner().textContent()).toMatch(/^Cannot read cut\.gguf: /);
  });

  test('a broken file is told with its cure, what was open stays, and the message can be put away', async () => {
    await visitModel();
    await page.locator('.file select').selectOption('broken.gguf');
    await banner().waitFor();
    expect(await banner().textContent()).toContain('broken.gguf');
    await expect.poll(() => page.locator('.file select').inputValue()).toBe(MODEL);
    expect(await page.locator('.cell.computed').count()).toBe(111);
    await page.getByLabel('Put this message away').click();
    expect(await banner().count()).toBe(0);
  });

  test('what the shell’s file list chose is opened', async () => {
    await visit();
    await page.evaluate(`chosenFile.value = ${JSON.stringify(MODEL)}`);
    await idle();
    expect(await page.locator('.cell.computed').count()).toBe(111);
  });

  test('text, BOS and backend are those of the bar', async () => {
    await visitModel();
    await page.getByRole('textbox', { name: 'Text' }).fill('Tom gave');
    await page.getByLabel('BOS').selectOption('no');
    await page.getByLabel('Backend').selectOption('reference');
    await button('Run').click();
    await page.locator('.opened-as', { hasText: 'reference' }).waitFor();
    await idle();
    expect(await page.locator('.token .piece').allTextContents()).toEqual(['␣Tom', '␣gave']);
    await goTo('kq_soft_max-1');
    expect(await page.locator('.step').textContent()).toContain('Plain TypeScript in f64 computes it');
  });
});

describe('the map', () => {
  test('a click on what was computed looks at it and leaves the run where it is', async () => {
    await visitModel();
    await goTo('Qcur-2');
    expect(await page.locator('.cell.computed').count()).toBe(111);
    expect(await cell('Qcur-2').getAttribute('aria-selected')).toBe('true');
  });

  test('the run goes back by a button or a double click, and on by step, layer and end', async () => {
    await visitModel();
    await goTo('Qcur-2');
    await button('Go back to here').click();
    await counts('.cell.computed', 39);
    await button('Step →').click();
    await stepIs('Kcur-2');
    await button('Layer ⇥').click();
    await stepIs('l_out-2');
    await button('← Back').click();
    await stepIs('ffn_out-2');
    await idle();
    expect(await page.locator('.cell.computed').count()).toBe(54);
    await button('End ⇥').click();
    await counts('.cell.computed', 111);
    await idle();
    await cell('kq-0').dblclick();
    await counts('.cell.computed', 8);
  });

  test('a click on what was not computed runs to it', async () => {
    await visitModel();
    await goTo('embd');
    await button('Go back to here').click();
    await counts('.cell.computed', 1);
    await idle();
    await goTo('kq-1');
    expect(await page.locator('.cell.computed').count()).toBe(26);
    expect(await page.locator('.marks .next').count()).toBe(1);
  });

  test('arrow keys walk along the pass and from layer to layer, and run what was not yet', async () => {
    await visitModel();
    await goTo('Qcur-2');
    await cell('Qcur-2').focus();
    for (const [key, wanted] of [
      ['ArrowRight', 'Kcur-2'],
      ['ArrowDown', 'Kcur-3'],
      ['ArrowLeft', 'Qcur-3'],
      ['ArrowUp', 'Qcur-2'],
    ] as const) {
      await page.keyboard.press(key);
      await page.locator(`[data-step="${wanted}"]:focus`).waitFor();
    }
    await page.keyboard.press('Backspace');
    await counts('.cell.computed', 39);
    await idle();
    await page.keyboard.press('ArrowRight');
    await counts('.cell.computed', 40);
  });

  test('one cell of it can be tabbed to, and one token', async () => {
    await visitModel();
    expect(await page.locator('.cell[tabindex="0"]').count()).toBe(1);
    expect(await page.locator('.token[tabindex="0"]').count()).toBe(1);
  });

  test('numbers that are infinite are signed, not only coloured, and told', async () => {
    await visit(`#inspect=1&model=${MODEL}&text=Tom&change=ffn_out-1:{"how":"scale","by":1e38}&step=l_out-1`);
    await idle();
    expect(await cell('ffn_out-1').locator('.broken-sign').textContent()).toBe('!');
    expect(await cell('ffn_out-1').getAttribute('aria-label')).toContain('NaN or infinite');
    expect(await page.locator('.map-legend').textContent()).toContain('NaN or Inf');
    await goTo('ffn_out-1');
    expect(await page.locator('.step .failure').first().textContent()).toContain('elements are NaN or infinite');
    expect(await page.locator('.chip').textContent()).toContain('ffn_out-1: scale 1e+38');
    await page.locator('.chip').click();
    await counts('.cell.broken', 0);
  });

  test('colours can be of another statistic', async () => {
    await visitModel();
    const fills = () =>
      page.evaluate<string>(`[...document.querySelectorAll('.cell rect')].map(({ style }) => style.fill).join()`);
    const rms = await fills();
    await page.getByLabel('Colour').selectOption('absmax');
    expect(await fills()).not.toEqual(rms);
    expect(page.url()).toContain('with.map.colour=absmax');
  });

  test('80 layers scroll inside it, and a click is drawn within half a second', async () => {
    await visit(`#inspect=1&model=${DEEP}&text=ab&step=Qcur-79`);
    await idle();
    expect(await page.locator('.cell').count()).toBe(80 * 18 + 3);
    const scroll = page.locator('.map-scroll');
    expect(await page.evaluate<number>(beyond('.map-scroll', 'Height'))).toBeGreaterThan(0);
    const [box, pane] = [await cell('Qcur-79').boundingBox(), await scroll.boundingBox()];
    expect(box?.y).toBeGreaterThan(pane?.y ?? Number.NaN);
    // All of it but its outline.
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThan((pane?.y ?? 0) + (pane?.height ?? 0) + 2);
    const milliseconds = await page.evaluate(untilDrawn('Kcur-78'));
    expect(milliseconds).toBeLessThan(500);
  });

  test('a step that a fault adds has its place, and what reads it leads there', async () => {
    await visit(`#inspect=1&model=${MODEL}&text=Tom+gave&fault=rope-on-v`);
    await idle();
    expect(await page.locator('.chip').textContent()).toContain('rope-on-v');
    await goTo('kqv_out-1');
    await button('cache_v-1').click();
    await stepIs('Vcur_rope-1');
  });
});

describe('a step', () => {
  test('is told whole: formula, names, inputs, shape, statistics, histogram, values, kernel and reference', async () => {
    await visitModel();
    await goTo('Qcur-2');
    const text = (await page.locator('.step').textContent()) ?? '';
    for (const part of [
      'y[t,n] = Σ over k of weight[n,k] · x[t,k]',
      'blocks.2.attn.hook_q',
      'model.layers.2.self_attn.q_proj',
      'blk.2.attn_q.weight',
      'Q8_0',
      'token 10 × head 8 × dim 32',
    ]) {
      expect(text).toContain(part);
    }
    const model = await openModel(path);
    const run = await model.start('Lily gave the ball to Tom. Tom thanked').to('Qcur-2');
    const tensor = await run.tensor('Qcur-2');
    const first = await page.locator('.numbers span').allTextContents();
    expect(first.map(Number)).toEqual([...tensor.data.slice(0, 24)].map((x) => expect.closeTo(x, 2)));
    expect(await page.locator('.histogram').getAttribute('aria-label')).toContain('Histogram of 2560 values');
    expect(await page.locator('.code pre').textContent()).toContain('@compute');
    await page.getByRole('tab', { name: 'Reference' }).click();
    expect(await page.locator('.code pre').textContent()).toBe(
      await readFile(new URL('../../../src/ops/mul_mat.ts', import.meta.url), 'utf8'),
    );
    await page.locator('.code').getByRole('button', { name: 'Copy' }).click();
    expect(await page.evaluate<string>('navigator.clipboard.readText()')).toContain('mul_mat');
    await model.close();
  });

  test('an input is gone to by a click, a cache to who wrote it', async () => {
    await visitModel();
    await goTo('kq-2');
    await button('cache_k-2').click();
    await stepIs('Kcur_rope-2');
    await button('Kcur-2').click();
    await stepIs('Kcur-2');
  });

  test('under the pointer is shown while it is there, what was locked comes back', async () => {
    await visitModel();
    await goTo('Qcur-2');
    await cell('ffn_silu-3').hover();
    await stepIs('ffn_silu-3');
    await page.locator('.opened-as').hover();
    await stepIs('Qcur-2');
  });
});

describe('tokens', () => {
  const token = (at: number) => page.locator('.token').nth(at);

  test('show spaces and special tokens, and are locked and let go by a click', async () => {
    await visitModel();
    expect(await page.locator('.token .piece').allTextContents()).toEqual([
      '<s>',
      '␣Lily',
      '␣gave',
      '␣the',
      '␣ball',
      '␣to',
      '␣Tom',
      '.',
      '␣Tom',
      '␣thanked',
    ]);
    expect(await token(0).getAttribute('class')).toContain('special');
    await token(6).click();
    expect(await token(6).getAttribute('aria-selected')).toBe('true');
    expect(page.url()).toContain('&token=6');
    await token(6).click();
    expect(page.url()).not.toContain('&token=');
  });

  test('arrow keys move, and Shift marks the key of attention beside the query', async () => {
    await visitModel();
    await token(6).click();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    expect(page.url()).toContain('&token=8');
    await token(1).click({ modifiers: ['Shift'] });
    expect(page.url()).toContain('&token=8&key=1');
    expect(await token(1).getAttribute('class')).toContain('key');
    await page.keyboard.press('Escape');
    expect(page.url()).not.toContain('key=');
  });

  test('drawn ones are appended and run', async () => {
    await visitModel();
    await page.getByLabel('How many tokens to draw').fill('2');
    await button('Draw').click();
    await counts('.token', 12);
    await idle();
    expect(await page.locator('.token.drawn').count()).toBe(2);
    expect(await page.locator('.token.not-yet').count()).toBe(0);
    await page.getByLabel('Pass').selectOption('0');
    await goTo('Qcur-0');
    expect(await page.locator('.step').textContent()).toContain('token 10 × head 8');
  });

  test('drawn ones are in a link, which shows the same in a second tab, in the middle of their pass too', async () => {
    await visitModel();
    await page.getByLabel('How many tokens to draw').fill('2');
    await button('Draw').click();
    await counts('.token', 12);
    await idle();
    await goTo('Qcur-2');
    await button('Go back to here').click();
    await counts('.cell.computed', 39);
    const pieces = await page.locator('.token .piece').allTextContents();
    expect(page.url()).toContain('&drawn=2&at=Qcur-2');
    const second = await page.context().newPage();
    await second.goto(page.url());
    await second.locator('.map-body').waitFor();
    expect(await second.locator('.token .piece').allTextContents()).toEqual(pieces);
    expect(await second.locator('.token.drawn').count()).toBe(2);
    expect(await second.locator('.cell.computed').count()).toBe(39);
    expect(second.url()).toBe(page.url());
    await second.goto(second.url().replace('drawn=2', 'drawn=two'));
    await second.locator('.banner').waitFor();
    expect(await second.locator('.banner p').textContent()).toContain('drawn is "two"; wanted a whole number');
    await second.close();
  });
});

describe('taking it along', () => {
  const download = async (name: string): Promise<Download> => {
    const [saved] = await Promise.all([page.waitForEvent('download'), button(name).click()]);
    return saved;
  };
  const bytesOf = async (saved: Download) => new Uint8Array(await readFile(await saved.path()));

  test('its code goes into the notebook, and the page says so', async () => {
    await visitModel();
    await goTo('Qcur-2');
    await button('Copy as cell').click();
    await page.getByText('The cell stands below the active one').waitFor();
    expect((await lab.cells()).at(-1)).toBe(
      [
        `const model = await openModel('${MODEL}');`,
        "const run = model.start('Lily gave the ball to Tom. Tom thanked');",
        'await run.toEnd();',
        "display(await run.tensor('Qcur-2'));",
      ].join('\n'),
    );
  });

  test('its link opens the same, in the middle of a run too', async () => {
    await visitModel();
    await goTo('Qcur-2');
    await button('Go back to here').click();
    await counts('.cell.computed', 39);
    await page.locator('.token').nth(3).click();
    await button('Link').click();
    await page.getByText('The link is on the clipboard').waitFor();
    const link = await page.evaluate<string>('navigator.clipboard.readText()');
    await page.goto('about:blank');
    await page.goto(link);
    await idle();
    expect(await shownStep().textContent()).toBe('Qcur-2');
    expect(await page.locator('.cell.computed').count()).toBe(39);
    expect(await page.locator('.token').nth(3).getAttribute('aria-selected')).toBe('true');
    expect(page.url()).toBe(link);
  });

  test('a link whose parts are gone opens the rest and names them', async () => {
    await visit(`#inspect=1&model=${MODEL}&text=Tom&view=gone&step=Qcur-40&layer=2&token=7`);
    await banner().waitFor();
    expect(await banner().textContent()).toBe(
      'Cannot show all of this link: step Qcur-40, token 7, the view gone are not in this model, text or page; the rest is open',
    );
    expect(await page.locator('.cell.computed').count()).toBe(111);
  });

  test.for([
    ['#inspect=9&model=m.gguf', 'it is of version "9"'],
    ['#inspect=1&model=../../etc/passwd&text=a', 'etc/passwd'],
    [`#inspect=1&model=${MODEL}&text=a&fault=no-such-fault`, 'no-such-fault'],
    [`#inspect=1&model=${MODEL}&text=<img+src=x+onerror=alert(1)>&change=l_out-0:{"how":"zero","head":99}`, 'head'],
  ])('a link that is stale or made to harm is refused with a message: %s', async ([hash, said]) => {
    await visit(hash);
    await banner().waitFor();
    expect(await banner().textContent()).toMatch(/^Cannot /);
    expect(await banner().textContent()).toContain(said);
    expect(await page.locator('.map-body').count()).toBe(0);
  });

  test('pictures are saved as PNG and SVG, numbers as Arrow that holds the tensor', async () => {
    await visitModel();
    await goTo('Qcur-2');
    const svg = await download('SVG');
    expect(svg.suggestedFilename()).toBe('lily-4m-q8_0.step.svg');
    const text = new TextDecoder().decode(await bytesOf(svg));
    expect(text).toMatch(/^<svg [^>]*width="\d+/);
    expect(text).not.toContain('var(--');
    const png = await bytesOf(await download('PNG'));
    expect([...png.slice(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
    const saved = await download('Arrow');
    expect(saved.suggestedFilename()).toBe('lily-4m-q8_0.step.arrow');
    const trace = await openArrowTrace(bytesSource('saved.arrow', await bytesOf(saved)));
    expect(trace.names).toEqual(['Qcur-2']);
    expect((await trace.tensor('Qcur-2')).shape).toEqual([10, 8, 32]);
    expect(trace.manifest.prompt).toBe('Lily gave the ball to Tom. Tom thanked');
    await page.locator('input[type=file]').setInputFiles({
      name: 'saved.arrow',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(await bytesOf(saved)),
    });
    await page.getByText('A trace, computed on').waitFor();
    expect(await page.locator('.cell').count()).toBe(1);
    expect(await shownStep().textContent()).toBe('Qcur-2');
  });
});

describe('the pane', () => {
  test('lists its keys on ?, and N, B, L and E move the run', async () => {
    await visitModel();
    await page.locator('.map-said').click();
    await page.keyboard.press('?');
    expect(await page.getByRole('dialog').isVisible()).toBe(true);
    await page.keyboard.press('Escape');
    await goTo('embd');
    await button('Go back to here').click();
    await counts('.cell.computed', 1);
    await idle();
    for (const [key, count] of [
      ['n', 2],
      ['n', 3],
      ['b', 2],
      ['l', 19],
      ['e', 111],
    ] as const) {
      await page.keyboard.press(key);
      await counts('.cell.computed', count);
      await idle();
    }
  });

  test('a move can be stopped, and what was done until then stays', async () => {
    await visit();
    const text = encodeURIComponent('Lily gave the ball to Tom. '.repeat(40));
    await page.goto(`${lab.url}#inspect=1&model=${MODEL}&backend=reference&text=${text}`);
    await page.locator('.working', { hasText: 'running' }).waitFor();
    await button('Stop').click();
    await idle();
    expect(await page.locator('.opened-as').textContent()).toContain('interrupted');
    expect(await page.locator('.cell.computed').count()).toBeLessThan(111);
  });

  test('a lost connection is made anew by what is done next', async () => {
    await visitModel();
    lab.dropSockets();
    await page.waitForTimeout(200);
    await page.getByRole('textbox', { name: 'Text' }).fill('Tom gave');
    await button('Run').click();
    await counts('.token', 3);
    await idle();
    expect(await page.locator('.cell.computed').count()).toBe(111);
  });

  test('a view whose request failed says why, and asks again by a button, as it was set', async () => {
    const other = await lab.page.context().newPage();
    let fails = true;
    await other.routeWebSocket('**/inspector/socket', (ours) => {
      const server = ours.connectToServer();
      ours.onMessage((message) => {
        const asked = fromBytes(message as Buffer) as ToSession;
        if (!(fails && asked.type === 'ask' && asked.request === 'chart')) return server.send(message);
        const error = { name: 'Error', message: 'Cannot draw it: the device is busy', place: {} };
        ours.send(Buffer.from(toBytes({ type: 'failed', id: asked.id, error } satisfies FromSession)));
      });
    });
    await other.goto(`${lab.url}#inspect=1&model=${MODEL}&text=Tom&view=next&with.next.k=5`);
    const failure = other.locator('.view .failure');
    await failure.waitFor();
    expect(await failure.textContent()).toBe('Cannot draw it: the device is busy');
    fails = false;
    await other.getByRole('button', { name: 'Try again' }).click();
    await other.locator('.chart svg').waitFor();
    expect(await failure.count()).toBe(0);
    expect(await other.getByRole('button', { name: '5', exact: true }).getAttribute('aria-pressed')).toBe('true');
    await other.close();
  });

  test.for([
    [1280, 720],
    [600, 720],
    [435, 620],
    [1920, 1080],
  ] as const)('fits %i × %i: nothing wider than the pane, every view reached', async ([width, height]) => {
    await visitModel();
    await page.setViewportSize({ width, height });
    await page.waitForTimeout(200);
    expect(await page.evaluate<number>(beyond('.inspector', 'Width'))).toBe(0);
    await page.getByRole('tab', { name: 'Step' }).first().scrollIntoViewIfNeeded();
    await page.getByText('Computed by').scrollIntoViewIfNeeded();
    expect(await page.locator('.tokens').isVisible()).toBe(true);
  });

  test('beside a notebook on a laptop the map keeps the lit step in sight, and the view has room for its chart', async () => {
    await visit(`#inspect=1&model=${MODEL}&text=Lily+gave+the+ball&view=growth`);
    await idle();
    await page.setViewportSize({ width: 563, height: 681 });
    const top = async (locator: Locator) => (await locator.boundingBox())?.y ?? Number.NaN;
    const foot = async (locator: Locator) =>
      (await top(locator)) + ((await locator.boundingBox())?.height ?? Number.NaN);
    await expect.poll(() => top(page.locator('.chart svg'))).toBeLessThan(681 - 120);
    const light = async (name: string) => {
      await cell(name).dispatchEvent('click');
      await page.locator(`[data-step="${name}"][aria-selected="true"]`).waitFor();
    };
    for (const name of ['embd', 'Qcur-2', 'result_output']) {
      await light(name);
      expect(await top(cell(name))).toBeGreaterThanOrEqual(await foot(page.locator('.map-head')));
      expect(await foot(cell(name))).toBeLessThanOrEqual(await foot(page.locator('.map-scroll')));
    }
    const scrolled = () => page.evaluate<number>(`document.querySelector('.inspector').scrollTop`);
    await page.evaluate(`document.querySelector('.inspector').scrollTop = 300`);
    expect(await foot(page.locator('.map-scroll'))).toBeLessThan(await foot(page.locator('.tokens')));
    await light('embd');
    expect(await scrolled()).toBe(300);
  });

  test.for(['light', 'dark'] as const)('axe finds no serious fault in it, %s', async (theme) => {
    await visitModel();
    await lab.setTheme(theme);
    await goTo('Qcur-2');
    await page.locator('.token').nth(2).click();
    expect(await seriousFaults(page)).toEqual([]);
  });
});
