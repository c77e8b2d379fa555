/**
 * The views of attention, scores, growth, the lens, attribution and edits, in a real browser: each is clicked, what it says is held
 * against the engine, its exports are opened, and its cell is run by the real kernel.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { bytesSource } from '../../../src/gguf/bytes.ts';
import { randomModelSource } from '../../../src/gguf/random_model.ts';
import { findChromium } from '../../../src/node/host.ts';
import { openModel, type Run } from '../../../src/node/index.ts';
import type { CellOutput, Cells } from '../../../src/notebook/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { shown } from '../../../src/trace/token_label.ts';
import { tiny } from '../../engine/models.ts';
import { have } from '../../skip.ts';
import { type InspectorPage, openInspectorPage } from './inspector_page.ts';

const TEXT = 'Lily gave the ball to Tom. Tom thanked';
const MODEL = 'fixtures/lily-4m-q8_0.gguf';
const TRACE = 'fixtures/golden/lily-4m-f16.arrow';
/** With more heads in a layer than our chart of them has room for. */
const MANY = 'many_heads.gguf';
const root = fileURLToPath(new URL('../../../', import.meta.url));

const chromium = findChromium();
let lab: InspectorPage;
let page: Page;
let run: Run;
let cells: Cells | undefined;

beforeAll(async () => {
  if (!chromium) return;
  const many = await randomModelSource({ ...tiny, nLayer: 2, nHead: 16, nHeadKv: 4 });
  const files = { [MODEL]: root + MODEL, [TRACE]: root + TRACE, [MANY]: await many.read(0, many.size) };
  lab = await openInspectorPage(chromium, files);
  page = lab.page;
  run = await (await openModel(root + MODEL, { backend: 'reference' })).start(TEXT).toEnd();
}, 120_000);
afterAll(async () => {
  await cells?.close();
  await lab?.close();
});
afterEach(() => {
  if (lab) expect(lab.faults).toEqual([]);
});

/** Opens the link of a view, with whatever else it says, and waits until the view is drawn. */
async function open(context: TestContext, view: string, rest = '', file = MODEL): Promise<void> {
  have(context, chromium, 'no Chromium is installed');
  await page.goto('about:blank');
  const text = encodeURIComponent(TEXT).replaceAll('%20', '+');
  await page.goto(`${lab.url}#inspect=1&model=${file}&backend=reference&text=${text}&view=${view}${rest}`);
  await page.locator(`[data-view="${view}"]`).waitFor();
}

const view = () => page.locator('.view');
/** The title of the n-th chart, behind those of its panels. */
const title = (n = 0) => view().locator('.chart').nth(n).locator('.role-title-text').last();
const place = () => new URLSearchParams(new URL(page.url()).hash.slice(1));
const choose = (label: string, option: string) => view().getByRole('combobox', { name: label }).selectOption(option);

async function saved(button: string): Promise<Uint8Array> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: button }).click(),
  ]);
  return readFileSync(await download.path());
}

describe('attention', () => {
  test('draws where a token looks as lines whose shares are those of the run, and a click keeps it', async (context) => {
    await open(context, 'attention', '&layer=2&head=4');
    const lines = view().locator('.attention-lines');
    await lines.waitFor();
    const { x, y, width } = (await lines.boundingBox()) ?? { x: 0, y: 0, width: 0 };
    // The eighth row on the left.
    await page.mouse.click(x + 60 * (width / 392), y + (24 + 20 * 7.5) * (width / 392));
    await expect.poll(() => place().get('token')).toBe('7');
    const pattern = (await run.tensor('kq_soft_max-2')).slice(4, 7);
    const wanted = [...pattern.data].flatMap((share) =>
      share < 0.003 ? [] : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`,
    );
    await page.mouse.move(0, 0);
    await expect.poll(() => lines.locator('.percent').allTextContents()).toEqual(wanted);
    expect(await page.locator('.tokens [aria-selected="true"]').textContent()).toContain('7');
  });

  test('chooses a head by its small picture, by the list, and by arrow keys', async (context) => {
    await open(context, 'attention', '&layer=1');
    await expect.poll(() => title().textContent()).toBe('Where head 0 of layer 1 looks');
    await view().getByRole('button', { name: '6', exact: true }).click();
    await expect.poll(() => title().textContent()).toBe('Where head 6 of layer 1 looks');
    await view().locator('.keys').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => title().textContent()).toBe('Where head 7 of layer 2 looks');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => title().textContent()).toBe('Where head 0 of layer 2 looks');
    await choose('Layer', '5');
    await expect.poll(() => title().textContent()).toBe('Where head 0 of layer 5 looks');
    expect([place().get('layer'), place().get('head')]).toEqual(['5', '0']);
  });

  test('shades a text that is too long for lines', async (context) => {
    have(context, chromium, 'no Chromium is installed');
    const long = Array.from({ length: 12 }, () => 'Lily gave the ball to Tom.').join(' ');
    await page.goto('about:blank');
    await page.goto(
      `${lab.url}#inspect=1&model=${MODEL}&backend=reference&text=${encodeURIComponent(long)}&view=attention&layer=1&head=2`,
    );
    const tokens = view().locator('.attention-text button');
    await tokens.first().waitFor({ timeout: 60_000 });
    expect(await tokens.count()).toBeGreaterThan(48);
    await tokens.nth(20).click();
    await expect
      .poll(() => view().locator('.attention-text .query').textContent())
      .toBe(await tokens.nth(20).textContent());
  });

  test('of a run in the middle of the model offers to run to it', async (context) => {
    await open(context, 'attention', '&layer=3&at=l_out-1');
    await view().getByText('The run has not come to kq_soft_max-3 yet').waitFor();
    expect(await page.getByRole('button', { name: 'Copy as cell' }).isDisabled()).toBe(true);
    await view().getByRole('button', { name: 'Run to it' }).click();
    await expect.poll(() => title().textContent()).toBe('Where head 0 of layer 3 looks');
  });

  test('of a trace is drawn as well', async (context) => {
    await open(context, 'attention', '&layer=1', TRACE);
    await expect.poll(() => title().textContent()).toBe('Where head 0 of layer 1 looks');
  });
});

describe('all heads', () => {
  test('a click on a small picture chooses its head, and leads to it', async (context) => {
    await open(context, 'heads');
    await expect.poll(() => title().textContent()).toBe('Where the 48 heads of 6 layers look');
    await view().locator('.mark-rect path').nth(2).click();
    await view()
      .getByRole('button', { name: /Look at head \d of layer \d/ })
      .click();
    await expect.poll(() => title().textContent()).toMatch(/^Where head \d of layer \d looks$/);
  });

  test('shows how widely they look, and what kind they are', async (context) => {
    await open(context, 'heads');
    await view().getByRole('button', { name: 'How widely' }).click();
    await expect.poll(() => title().textContent()).toBe('How widely each head looks');
    await view().getByRole('button', { name: 'What kind they are' }).click();
    await expect.poll(() => title().textContent()).not.toBe('How widely each head looks');
  });
});

describe('many heads', () => {
  test('stand in rows of small pictures, of which a click and arrow keys choose, and make a picture', async (context) => {
    await open(context, 'heads', '', MANY);
    const pictures = view().locator('.head-row canvas');
    await expect.poll(() => pictures.count()).toBe(32);
    await view().getByRole('button', { name: 'Head 5 of layer 0' }).click();
    await view().locator('.keys').focus();
    await page.keyboard.press('ArrowDown');
    await view().getByRole('button', { name: 'Look at head 5 of layer 1' }).waitFor();
    const svg = new TextDecoder().decode(await saved('SVG'));
    expect(svg.match(/<image /g)).toHaveLength(32);
    expect(svg).toContain('href="data:image/png');
  });
});

describe('query × key', () => {
  test('takes the score of the key that is clicked apart', async (context) => {
    await open(context, 'qk', '&layer=2&head=4&token=9');
    await expect.poll(() => title().textContent()).toContain('gives 9 ␣thanked');
    await view().locator('.shares button').nth(6).click();
    await expect.poll(() => title().textContent()).toContain('gives 6 ␣Tom');
    const score = (await run.tensor('kq-2')).at(4, 9, 6);
    const said = async () => /is (-?[\d.]+); times/.exec((await view().locator('.chart').textContent()) ?? '')?.[1];
    await expect.poll(async () => Number(await said()) / score).toBeCloseTo(1, 2);
    await expect.poll(() => place().get('key')).toBe('6');
    await expect.poll(() => page.locator('.tokens .key').textContent()).toContain('6');
  });

  test('in order of size ends at the same score', async (context) => {
    await open(context, 'qk', '&layer=2&head=4&token=9&key=6');
    const score = /score -?[\d.]+/;
    await expect.poll(() => view().locator('.chart').textContent()).toMatch(score);
    const before = score.exec((await view().locator('.chart').textContent()) ?? '')?.[0];
    await view().getByRole('button', { name: 'Largest first' }).click();
    await expect.poll(() => view().locator('.chart').textContent()).toContain('Largest products first');
    expect(await view().locator('.chart').textContent()).toContain(before);
  });
});

describe('what comes next', () => {
  test('follows the token that is chosen on top', async (context) => {
    await open(context, 'next');
    await expect.poll(() => title().textContent()).toBe('What may follow 9 ␣thanked');
    await page.locator('.tokens [role="option"]').nth(3).click();
    await page.mouse.move(0, 0);
    await expect.poll(() => title().textContent()).toBe('What may follow 3 ␣the');
    await view().getByRole('button', { name: '20', exact: true }).click();
    await expect.poll(() => view().locator('.chart').textContent()).toContain('The 20 likeliest');
    const [best] = (await run.tensor('result_output')).slice(3).topK(1);
    expect(await view().locator('.chart').textContent()).toContain(shown(run.model.tokenizer.piece(best?.index ?? 0)));
  });

  test('the lens shows it layer by layer; a cell chooses its layer and its token', async (context) => {
    await open(context, 'lens');
    await expect.poll(() => title().textContent(), { timeout: 20_000 }).toContain('if it stopped after a layer');
    await view().locator('.mark-rect path').nth(14).click({ force: true });
    await expect.poll(() => [place().get('layer'), place().get('token')]).toEqual(['1', '4']);
    await view().getByRole('checkbox').uncheck();
    await expect
      .poll(() => view().locator('.chart').textContent(), { timeout: 20_000 })
      .toContain('Read without the model’s final norm');
  });

  test('ranks follow the tokens that are typed, and what is no token is said to be none', async (context) => {
    await open(context, 'rank');
    await expect
      .poll(() => title().textContent(), { timeout: 20_000 })
      .toContain('How candidates after 9 ␣thanked rise');
    const field = view().getByLabel('Follow');
    await field.fill('␣Tom, ␣Lily');
    await field.press('Enter');
    await expect.poll(() => view().locator('.chart .role-legend-label').allTextContents()).toEqual(['␣Tom', '␣Lily']);
    await field.fill('␣Tom gave');
    await field.press('Enter');
    await expect.poll(() => view().locator('.failure').textContent()).toMatch(/^Cannot/);
  });

  test('attribution speaks for the likeliest token, or for one rather than another', async (context) => {
    await open(context, 'attribution');
    await expect
      .poll(() => title().textContent(), { timeout: 20_000 })
      .toContain('What speaks for ␣Lily after 9 ␣thanked');
    await view().getByLabel('rather than').fill('␣Tom');
    await view().getByLabel('rather than').press('Enter');
    await expect
      .poll(() => title().textContent(), { timeout: 20_000 })
      .toContain('What speaks for ␣Lily rather than ␣Tom');
    expect(await view().locator('.chart').textContent()).toContain('Below: the parts of attention by head');
  });
});

describe('growth', () => {
  test('is shown by layer, by token and by dimension, and a mark chooses', async (context) => {
    await open(context, 'growth');
    await expect.poll(() => title().textContent()).toBe('How the residual stream grows from layer to layer');
    await view().getByRole('button', { name: 'By token' }).click();
    await expect.poll(() => title().textContent()).toBe('How long the residual stream is at each token');
    await view().locator('.mark-rect path').nth(13).click();
    await expect.poll(() => [place().get('layer'), place().get('token')]).toEqual(['1', '3']);
    await view().getByRole('button', { name: 'By dimension' }).click();
    await expect.poll(() => title().textContent()).toBe('Which dimensions of l_out stand out');
  });
});

describe('edit', () => {
  test('changes what is chosen, shows what becomes of it, and takes it back', async (context) => {
    await open(context, 'edit', '&step=kqv_out-4&head=5');
    await view().getByText('Nothing is changed yet').waitFor();
    await view().getByRole('button', { name: 'Change it' }).click();
    await expect
      .poll(() => view().locator('.changes li').allTextContents())
      .toEqual(['kqv_out-4, head 5: zero take back']);
    await expect.poll(() => title(1).textContent(), { timeout: 20_000 }).toContain('Which tokens the change reaches');
    expect(await view().locator('.chart').last().textContent()).toContain('changed from here: kqv_out-4');
    await choose('Tensor', 'l_out-0');
    await choose('Token', '6');
    await view().getByRole('button', { name: 'Noise' }).click();
    await view().getByLabel('of the RMS').fill('0.5');
    await view().getByRole('button', { name: 'Change it' }).click();
    await expect
      .poll(() => view().locator('.changes li').nth(1).textContent())
      .toBe('l_out-0, at 6 ␣Tom: plus noise of 0.5 of its RMS take back');
    await expect
      .poll(() => view().locator('.chart').last().textContent(), { timeout: 20_000 })
      .toContain('changed from here: l_out-0');
    await view().getByRole('button', { name: 'Undo', exact: true }).click();
    expect(await view().locator('.changes li').count()).toBe(1);
    await view().getByRole('button', { name: 'Undo', exact: true }).click();
    await view().getByText('Nothing is changed yet').waitFor();
    expect(place().get('change')).toBeNull();
  });

  test('what is kept is part of the experiment, and of every view, until it is taken back', async (context) => {
    await open(context, 'edit', '&step=ffn_out-5');
    await view().getByRole('button', { name: 'Change it' }).click();
    await view().getByRole('button', { name: 'Keep' }).click();
    await view().getByText('Kept: every view shows the run with these').waitFor();
    expect(place().get('change')).toBe('ffn_out-5:{"how":"zero"}');
    await expect.poll(() => title(1).textContent(), { timeout: 20_000 }).toContain('Which tokens the change reaches');
    await view().getByRole('button', { name: 'Take back: ffn_out-5: zero' }).click();
    await view().getByText('Nothing is changed yet').waitFor();
    expect(place().get('change')).toBeNull();
  });

  test('replaces a token’s row by that of another text; such a change stays on trial', async (context) => {
    await open(context, 'edit', '&step=l_out-2&token=8');
    await view().getByRole('button', { name: 'Replace' }).click();
    await view().getByLabel('by what it is over').fill('Tom gave the ball to Lily. Lily thanked');
    await view().getByLabel('at its token').fill('6');
    await view().getByRole('button', { name: 'Change it' }).click();
    await expect
      .poll(() => view().locator('.changes li').textContent())
      .toBe('l_out-2, at 8 ␣Tom: as over “Tom gave the ball to Lily. Lily thanked” at its token 6 take back');
    await expect
      .poll(() => view().locator('.chart').last().textContent(), { timeout: 20_000 })
      .toContain('changed from here: l_out-2');
    expect(await view().getByRole('button', { name: 'Keep' }).isDisabled()).toBe(true);
  });

  test('what cannot be changed is said, and the change can be taken back', async (context) => {
    const changes = encodeURIComponent(JSON.stringify([{ tensor: 'kqv_out-1', how: 'zero', head: 80 }]));
    await open(context, 'edit', `&with.edit.changes=${changes}`);
    await expect.poll(() => view().locator('.failure').textContent()).toContain('its heads are 0 to 7');
    await view().getByRole('button', { name: 'Undo', exact: true }).click();
    await view().getByText('Nothing is changed yet').waitFor();
  });

  test('of a trace says that there is nothing to compute', async (context) => {
    await open(context, 'edit', '', TRACE);
    await view().getByText('This is a trace').waitFor();
  });
});

const EVERY = {
  attention: '&layer=2&head=4&token=9',
  heads: '',
  qk: '&layer=2&head=4&token=9&key=6',
  next: '&token=9',
  lens: '',
  rank: '',
  attribution: '',
  growth: '',
  edit: `&with.edit.changes=${encodeURIComponent(
    JSON.stringify([
      { tensor: 'kqv_out-4', how: 'zero', head: 5 },
      { tensor: 'l_out-2', how: 'replace', text: 'Tom gave the ball to Lily.', token: 6 },
    ]),
  )}`,
} as const;

describe('taken along', () => {
  test.for(Object.entries(EVERY))(
    '%s is a picture, an Arrow file that opens, and a cell',
    async ([id, rest], context) => {
      await open(context, id, rest);
      await title().waitFor({ timeout: 20_000 });
      await page.waitForTimeout(300);
      const svg = new TextDecoder().decode(await saved('SVG'));
      expect(svg).toMatch(/^<svg /);
      expect(svg).toContain((await title().textContent())?.replaceAll('<', '&lt;') ?? 'no title');
      const trace = await openArrowTrace(bytesSource('view.arrow', await saved('Arrow')));
      expect(trace.entries.length).toBeGreaterThan(0);
      expect(trace.entries.every(({ hasValues }) => hasValues)).toBe(true);
      await page.getByRole('button', { name: 'Copy as cell' }).click();
      await page.getByText('The cell stands below the active one').waitFor();
      const code = (await lab.cells()).at(-1) ?? '';
      const { shownCharts, errors } = await inKernel(code);
      expect(errors, code).toEqual([]);
      expect(shownCharts, code).toContain(await title().textContent());
    },
  );
});

/** The titles of the charts that a cell displays, by the real kernel; and its errors. */
async function inKernel(code: string): Promise<{ shownCharts: unknown[]; errors: string[] }> {
  const outputs: CellOutput[] = [];
  cells ??= await startKernel();
  await cells.execute(code, (output) => outputs.push(output));
  const specs = outputs.flatMap((output) =>
    output.type === 'display_data' ? (output.data['application/vnd.vegalite.v5+json'] ?? []) : [],
  ) as { title: { text: string } }[];
  return {
    shownCharts: specs.map(({ title }) => title.text),
    errors: outputs.flatMap((output) => (output.type === 'error' ? output.evalue : [])),
  };
}

/** The built one: its prelude is the package's own types. */
async function startKernel(): Promise<Cells> {
  const built = (await import(`${root}dist/notebook/index.js`)) as typeof import('../../../src/notebook/index.ts');
  return built.startCells({ cwd: root });
}
