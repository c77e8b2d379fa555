/** The lab's page in Chromium, over the real server and kernel: notebooks as people use them, with the mouse and with keys. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { findChromium } from '../../../src/node/host.ts';
import { have } from '../../skip.ts';
import { OpenLab } from './lab.ts';
import {
  cellAt,
  cellsIn,
  codeCell,
  eventually,
  isSaved,
  kernelLight,
  kindsIn,
  markdownCell,
  outputAt,
  writeNotebook,
} from './notebook_page.ts';

/** A kernel takes seconds to start, and more where the machine is busy. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const MODEL = 'lily-4m-q4_0.gguf';
const NO_CHROMIUM = 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM';
const chromium = findChromium();
let lab: OpenLab | undefined;

beforeAll(async () => {
  if (chromium)
    lab = await OpenLab.open(chromium, { models: [MODEL], remembered: { 'layerscope.inspector': 'closed' } });
});
afterAll(() => lab?.close());
afterEach(() => {
  expect(lab?.errors.splice(0) ?? []).toEqual([]);
  expect(lab?.foreign ?? []).toEqual([]);
});

/** A notebook that the tests of a group share, with its kernel: each has cells of its own. */
function sharedNotebook(
  name: string,
  cells: Parameters<typeof writeNotebook>[2],
): (context: Parameters<typeof have>[0]) => Page {
  let page: Page | undefined;
  beforeAll(async () => {
    if (!lab) return;
    writeNotebook(lab.root, name, cells);
    page = await lab.page(name);
    await page.locator('.kernel-light[data-state=idle]').waitFor({ timeout: 90_000 });
  });
  afterAll(() => page?.close());
  return (context) => have(context, page, NO_CHROMIUM);
}

const click = (page: Page, cell: number): Promise<void> => cellAt(page, cell).locator('.cm-content').click();
const press = async (page: Page, ...keys: readonly string[]): Promise<void> => {
  for (const key of keys) await page.keyboard.press(key);
};

const LOOP = "console.log('begun');\nwhile (true) {}";

describe('running cells', () => {
  const shared = sharedNotebook('running.ipynb', [
    'const six = 6;\nsix * 7',
    'six + 1',
    `const model = await openModel('${MODEL}', { backend: 'reference' });\nconst run = await model.start('Lily gave').to('l_out-0');`,
    'charts.rmsGrowth(run)',
    "const a = 1;\nthrow new Error('on purpose')",
    "const shown = display('first');\nawait new Promise((done) => setTimeout(done, 1500));\nshown.update('second');",
    LOOP,
    LOOP,
    'six + 2',
    {
      ...codeCell('1'),
      outputs: [{ output_type: 'display_data', metadata: {}, data: { 'text/html': '<b>kept</b> bold' } }],
    },
  ]);

  test('saved outputs are shown when a notebook is opened, before anything runs', async (context) => {
    const page = shared(context);
    await cellAt(page, 9).scrollIntoViewIfNeeded();
    await eventually(() => cellAt(page, 9).locator('.jp-RenderedHTML b').textContent()).toBe('kept');
    expect(await isSaved(page)).toBe(true);
  });

  test('Shift+Enter runs a cell and goes to the next, Ctrl+Enter runs it and stays', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await press(page, 'Shift+Enter');
    await eventually(() => outputAt(page, 0)).toContain('42');
    await eventually(() => activeCell(page)).toBe(1);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 1)).toContain('7');
    expect(await activeCell(page)).toBe(1);
  });

  test('a chart is drawn by Vega, without a script made of its expressions', async (context) => {
    const page = shared(context);
    await click(page, 2);
    await press(page, 'Shift+Enter', 'Shift+Enter');
    const marks = cellAt(page, 3).locator('.chart-output .vega-embed svg.marks');
    await eventually(() => marks.textContent()).toContain('How the residual stream grows from layer to layer');
  });

  test('an error shows its message and the line of the cell', async (context) => {
    const page = shared(context);
    await click(page, 4);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 4)).toMatch(/Error: on purpose[\s\S]*2/);
  });

  test('a display is updated in its place', async (context) => {
    const page = shared(context);
    await click(page, 5);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 5)).toBe('first');
    await eventually(() => outputAt(page, 5)).toBe('second');
  });

  test.for([
    ['the button', 6, (page: Page) => page.locator('[data-action=interrupt]').click()],
    ['I I', 7, (page: Page) => press(page, 'Escape', 'i', 'i')],
  ] as const)('an endless loop is stopped by %s, and variables stay', async ([, cell, stop], context) => {
    const page = shared(context);
    await click(page, cell);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, cell)).toBe('begun');
    expect(await kernelLight(page)).toBe('Busy');
    await stop(page);
    await eventually(() => outputAt(page, cell)).toMatch(/interrupt/i);
    await eventually(() => kernelLight(page)).toBe('Idle');
    await click(page, 8);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 8)).toContain('8');
  });
});

describe('a kernel that starts again', () => {
  const shared = sharedNotebook('restart.ipynb', ['const born = Date.now();', 'born > 0']);

  test('"Run all" runs every cell', async (context) => {
    const page = shared(context);
    await page.locator('[data-action=run-all]').click();
    await eventually(() => outputAt(page, 1)).toContain('true');
  });

  test('0 0 takes variables away, after a question', async (context) => {
    const page = shared(context);
    await click(page, 1);
    await press(page, 'Escape', '0', '0');
    await page.locator('.jp-Dialog-button.jp-mod-warn').click();
    await eventually(() => kernelLight(page)).toBe('Idle');
    await click(page, 1);
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 1)).toMatch(/Cannot find name 'born'|born is not defined/);
  });

  test('"Restart and run all" runs the cells in order from number 1', async (context) => {
    const page = shared(context);
    await page.locator('[data-action=restart-run-all]').click();
    await page.locator('.jp-Dialog-button.jp-mod-warn').click();
    await eventually(() => outputAt(page, 1)).toContain('true');
    expect(await cellAt(page, 1).locator('.jp-InputPrompt').first().textContent()).toBe('[2]:');
  });

  test('a kernel that is killed in the middle of a cell is said and another one answers', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await press(page, 'Control+a');
    await page.keyboard.insertText("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {});");
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 0)).toMatch(/SIGKILL|died|ended/);
    await click(page, 0);
    await press(page, 'Control+a');
    await page.keyboard.insertText('1 + 1');
    await press(page, 'Control+Enter');
    await eventually(() => outputAt(page, 0)).toContain('2');
  });
});

const TITLE = '# Title\n\n$$a^2$$';

describe('editing', () => {
  const shared = sharedNotebook('editing.ipynb', ['// one', '// two', markdownCell(TITLE)]);
  /** The cells of the file, saved each time one looks: the page saves in its own time. */
  const saved = (page: Page) =>
    eventually(async () => {
      await press(page, 'Control+s');
      return cellsIn((lab as OpenLab).root, 'editing.ipynb');
    });

  test('Markdown is drawn, with its formulas', async (context) => {
    const page = shared(context);
    await eventually(() => cellAt(page, 2).locator('h1').textContent()).toContain('Title');
    await eventually(() => cellAt(page, 2).locator('.katex').count()).toBe(1);
  });

  test('B and A insert below and above, Z undoes, D D deletes', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await leaveEditor(page);
    await press(page, 'b');
    await type(page, '// below');
    await leaveEditor(page);
    await press(page, 'a');
    await type(page, '// above');
    await saved(page).toEqual(['// one', '// above', '// below', '// two', TITLE]);
    await leaveEditor(page);
    // What is done within half a second is undone in one step.
    await page.waitForTimeout(700);
    await press(page, 'd', 'd');
    await saved(page).toEqual(['// one', '// below', '// two', TITLE]);
    await press(page, 'z');
    await saved(page).toEqual(['// one', '// above', '// below', '// two', TITLE]);
  });

  test('the buttons insert, move and delete a cell', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await page.locator('[data-action=insert-below]').click();
    await click(page, 1);
    await page.keyboard.insertText('// moved');
    await page.locator('[data-action=move-down]').click();
    await saved(page).toEqual(['// one', '// above', '// moved', '// below', '// two', TITLE]);
    await page.locator('[data-action=move-up]').click();
    await saved(page).toEqual(['// one', '// moved', '// above', '// below', '// two', TITLE]);
    await page.locator('[data-action=delete]').click();
    await saved(page).toEqual(['// one', '// above', '// below', '// two', TITLE]);
  });

  test('M, Y and the list change the kind of a cell', async (context) => {
    const page = shared(context);
    const kind = () =>
      eventually(async () => {
        await press(page, 'Control+s');
        return kindsIn((lab as OpenLab).root, 'editing.ipynb')[0];
      });
    await click(page, 0);
    await leaveEditor(page);
    await press(page, 'm');
    await kind().toBe('markdown');
    await press(page, 'y');
    await kind().toBe('code');
    await page.getByLabel('Kind of the cell').selectOption('raw');
    await kind().toBe('raw');
    await page.getByLabel('Kind of the cell').selectOption('code');
    await kind().toBe('code');
  });

  test('Tab completes a name, and Tab at the beginning of a line indents', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await press(page, 'Control+a');
    await page.keyboard.insertText('openMod');
    await press(page, 'Tab');
    // The only match is put in at once; of several the first is chosen.
    const first = page.locator('.jp-Completer-item').first();
    await eventually(async () => (await first.isVisible()) || (await sourceOf(page)).includes('openModel')).toBe(true);
    if (await first.isVisible()) await press(page, 'Enter');
    await eventually(() => sourceOf(page)).toBe('openModel');
    await press(page, 'Enter', 'Tab');
    await page.keyboard.insertText('x');
    await eventually(() => sourceOf(page)).toMatch(/openModel\n {2,4}x/);
  });

  test('Shift+Tab, and the mouse that rests on a name, show its type', async (context) => {
    const page = shared(context);
    await click(page, 0);
    await press(page, 'Control+a');
    await page.keyboard.insertText('openModel');
    await press(page, 'Shift+Tab');
    await eventually(() => page.locator('.jp-Tooltip').textContent()).toContain('openModel(');
    await press(page, 'Escape');
    await eventually(() => page.locator('.jp-Tooltip').count()).toBe(0);
    const name = await cellAt(page, 0).locator('.cm-line').first().boundingBox();
    await page.mouse.move((name?.x ?? 0) + 30, (name?.y ?? 0) + 8, { steps: 4 });
    await eventually(() => page.locator('.hover-inspection').textContent()).toContain('openModel(');
  });
});

/** Escape, until the cell itself has the focus. */
async function leaveEditor(page: Page): Promise<void> {
  await press(page, 'Escape');
  await page.locator('.jp-Notebook.jp-mod-commandMode .jp-Cell:focus').waitFor();
}

/** Enter, until the editor has the focus, and a text. */
async function type(page: Page, text: string): Promise<void> {
  await press(page, 'Enter');
  await page.locator('.jp-Cell.jp-mod-active .cm-content:focus').waitFor();
  await page.keyboard.insertText(text);
}

const sourceOf = async (page: Page): Promise<string> =>
  (await cellAt(page, 0).locator('.cm-line').allTextContents()).join('\n');

const activeCell = async (page: Page): Promise<number> =>
  Number(await page.locator('.jp-Cell.jp-mod-active').getAttribute('data-windowed-list-index'));
