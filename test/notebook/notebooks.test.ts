/**
 * The notebooks in notebooks/, executed by the command line as a reader would. What is committed is what running them gives;
 * numbers are left out of that comparison, since their last digits are the adapter's. To renew the committed outputs:
 *
 *   for n in notebooks/*.ipynb; do npx layerscope run "$n" --out "$n"; done
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium } from '../../src/node/host.ts';
import type { Notebook, SavedOutput } from '../../src/notebook/ipynb/notebook.ts';
import { parseNotebook } from '../../src/notebook/ipynb/read.ts';
import { layerscope } from '../cli/layerscope.ts';
import { noAdapter } from '../engine/models.ts';
import { have } from '../skip.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const names = readdirSync(join(root, 'notebooks')).filter((name) => name.endsWith('.ipynb'));
const folder = mkdtempSync(join(tmpdir(), 'layerscope-notebooks-'));
/** One for all notebooks: to start it takes as long as to draw the charts of one. */
let browser: Browser | undefined;
beforeAll(async () => {
  const executablePath = findChromium();
  if (executablePath) browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** What is committed was run without the files that cannot be had here. */
const env = {
  LAYERSCOPE_BACKEND: noAdapter ? 'reference' : 'webgpu',
  LAYERSCOPE_TINYLLAMA: '',
  LAYERSCOPE_LLAMA2_GGUF: '',
};
/** It looks for stale memory, and the f64 reference uses none twice. */
const NEEDS_WEBGPU = '10_nondeterminism.ipynb';
const isCompiled = existsSync(join(root, 'dist/notebook/index.js')) || undefined;

function read(path: string): Notebook {
  return parseNotebook(readFileSync(path, 'utf8'), path);
}

/** Each cell's outputs: their kinds, forms and text, without numbers, what is the adapter's, and pictures. */
function outline({ cells }: Notebook) {
  return cells.flatMap((cell) =>
    cell.type === 'code' ? [{ source: cell.source, outputs: cell.outputs.map((output) => outlineOf(output)) }] : [],
  );
}

/** Of a comparison the verdict: which tensor comes nearest to its limit is the adapter's, too. */
const VERDICT = /^(Agree|Noise|Precision|Other layout|Bug): /;
const NUMBER = /[-−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?/g;

function outlineOf(output: SavedOutput) {
  const data = 'data' in output ? output.data : {};
  const said = output.type === 'stream' ? output.text : String(data['text/plain'] ?? '');
  const stable = VERDICT.test(said) ? (said.split('\n\n')[0] as string) : said;
  const lines = stable.split('\n').filter((line) => !/^\s*runs on\b/.test(line));
  return {
    type: output.type,
    forms: Object.keys(data),
    said: lines
      .join('\n')
      .replace(NUMBER, '#')
      .replace(/[▁▂▃▄▅▆▇█ ]+/g, ' '),
  };
}

describe.each(names)('%s', (name) => {
  const out = join(folder, name);
  const html = out.replace('.ipynb', '.html');
  let ran: Awaited<ReturnType<typeof layerscope>> | undefined;

  const whyNot = isCompiled
    ? 'it needs WebGPU, and there is no adapter'
    : 'dist/ is not compiled; npm test does that first';

  beforeAll(async () => {
    if (isCompiled && !(noAdapter && name === NEEDS_WEBGPU))
      ran = await layerscope(['run', join(root, 'notebooks', name), '--out', out, '--html', html], { env });
  }, 300_000);

  test('runs from end to end', (context) => {
    const { code, stderr } = have(context, ran, whyNot);
    expect([code, stderr]).toEqual([0, '']);
  });

  test('gives what is committed, up to digits', (context) => {
    have(context, ran, whyNot);
    expect(outline(read(out))).toEqual(outline(read(join(root, 'notebooks', name))));
  });

  test('is committed without noise: no path of a machine, no time, no error', () => {
    const path = join(root, 'notebooks', name);
    const text = readFileSync(path, 'utf8');
    const noise = [root, tmpdir(), '"execution": {', '"output_type": "error"'].filter((found) => text.includes(found));
    expect(noise).toEqual([]);
    const codeCells = read(path).cells.filter((cell) => cell.type === 'code');
    expect(codeCells.map(({ executionCount }) => executionCount)).toEqual(codeCells.map((_, i) => i + 1));
  });

  test('shows every chart in Chromium with the network off', async (context) => {
    have(context, ran, whyNot);
    const charts = outline(read(out)).flatMap(({ outputs }) =>
      outputs.filter(({ forms }) => forms.includes('application/vnd.vegalite.v5+json')),
    );
    const tab = await have(context, browser, 'no Chromium on this machine').newContext({ offline: true });
    try {
      const page = await tab.newPage();
      const heard: string[] = [];
      page.on('console', (message) => heard.push(message.text()));
      page.on('pageerror', (error) => heard.push(error.message));
      await page.goto(pathToFileURL(html).href);
      await expect.poll(() => page.locator('figure.chart.drawn').count(), { timeout: 30_000 }).toBe(charts.length);
      expect(heard).toEqual([]);
      expect(charts.length).toBeGreaterThan(0);
    } finally {
      await tab.close();
    }
  });
});

/** Of a notebook's text and code, without outputs: what a translation is a translation of. */
function sourceHash({ cells }: Notebook): string {
  const sources = cells.map(({ type, source }) => ({ type, source }));
  return createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 8);
}

/** Each cell's kind, and its code without strings and comments, however its lines are broken. */
function shapeOf({ cells }: Notebook): string[] {
  const TEXT = /'[^'\n]*'|`[^`]*`|\/\/.*/g;
  const LAYOUT = /\s+|,(?=\s*[)\]}])/g;
  return cells.map(({ type, source }) => (type === 'code' ? source.replace(TEXT, '').replace(LAYOUT, '') : type));
}

describe.each(names.filter((name) => name.endsWith('.ja.ipynb')))('%s', (name) => {
  const english = name.replace('.ja.ipynb', '.ipynb');
  const [source, translation] = [english, name].map((each) => read(join(root, 'notebooks', each))) as [
    Notebook,
    Notebook,
  ];

  test('translates the English notebook as it is now', () => {
    const hash = sourceHash(source);
    expect(
      translation.metadata.translation,
      `${english} has changed: bring the Japanese up to date, then put this hash into its metadata`,
    ).toEqual({ of: english, hash });
    expect(translation.metadata.language).toBe('ja');
  });

  test('has the code of the English notebook, and text in Japanese', () => {
    expect(shapeOf(translation)).toEqual(shapeOf(source));
    const texts = translation.cells.filter(({ type }) => type === 'markdown');
    expect(texts.filter(({ source }) => !/[ぁ-んァ-ヶ一-龠]/.test(source))).toEqual([]);
  });

  test('is told from a translation of another text', () => {
    const [first, ...others] = source.cells;
    const changed = { ...source, cells: [{ ...first, source: `${first?.source} And more.` }, ...others] } as Notebook;
    expect(sourceHash(changed)).not.toBe(sourceHash(source));
  });
});
