/** What goes wrong while the lab's inspector is open: the page says what and what to do, and the inspector goes on. */
import type { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { modelShapes, randomModelContent } from '../../../src/gguf/random_model.ts';
import { byteLength, fileLength, type GgufContent, ggufPieces } from '../../../src/gguf/writer.ts';
import { openGpu } from '../../../src/node/gpu.ts';
import { findChromium } from '../../../src/node/host.ts';
import { have } from '../../skip.ts';
import { OpenLab } from './lab.ts';
import { seeLoss } from './lost_gpu.ts';
import { eventually } from './notebook_page.ts';
import { wholeRun } from './whole_run.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MODEL = 'lily-4m-f16.gguf';
const GOLDEN = fileURLToPath(new URL('../../../fixtures/golden/lily-4m-f16.arrow', import.meta.url));

/** The inspector's process with a signal at which it loses its GPU. */
const PROGRAM = fileURLToPath(new URL('loses_gpu.mjs', import.meta.url));

const chromium = findChromium();
let lab: OpenLab | undefined;
let page: Page;

/** Processes that this one has started, the newest last. */
const children: ChildProcess[] = [];
const note = (message: unknown) => void children.push((message as { readonly process: ChildProcess }).process);

beforeAll(async () => {
  subscribe('child_process', note);
  const size = { width: 1600, height: 900 };
  if (chromium) lab = await OpenLab.open(chromium, { models: [MODEL], size, inspector: PROGRAM });
});
afterAll(async () => {
  unsubscribe('child_process', note);
  await lab?.close();
});
beforeEach(async (context) => {
  page = await have(context, lab, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM').page();
  page.setDefaultTimeout(20_000);
});
afterEach(async () => {
  await page?.close();
  expect(lab?.errors.splice(0) ?? []).toEqual([]);
  expect(lab?.foreign ?? []).toEqual([]);
});

const banner = () => page.locator('.banner p');
const stepTitle = () => page.locator('.step h3').first();

async function idle(): Promise<void> {
  await page.locator('.map-body').waitFor();
  for (const busy of ['.working progress', '.inspector [aria-busy="true"]']) {
    await eventually(() => page.locator(busy).count()).toBe(0);
  }
}

/** The inspector's process of the page in front. */
function inspectorProcess(): ChildProcess {
  const found = children.findLast(({ spawnargs }) => spawnargs.includes(PROGRAM));
  if (!found) throw new Error('no inspector was started');
  return found;
}

/** Opens a model of the folder and runs it to its end. */
async function openModel(file = MODEL): Promise<void> {
  await page.locator('.file select').selectOption(file);
  await idle();
}

/** The page goes on: another step is looked at, and its numbers come. */
async function goesOn(step: string): Promise<void> {
  await page.locator(`[data-step="${step}"]`).click();
  await eventually(() => stepTitle().textContent()).toBe(step);
  await eventually(() => page.locator('.numbers span').count()).toBeGreaterThan(0);
}

const model = readFileSync(fileURLToPath(new URL(`../../../fixtures/${MODEL}`, import.meta.url)));
const golden = readFileSync(GOLDEN);

/** Magic, version 3, and more tensors and metadata than there are bytes in the world. */
const HOSTILE = Buffer.alloc(24, 0xff);
HOSTILE.write('GGUF');
HOSTILE.writeUInt32LE(3, 4);

describe('a file that is dropped and cannot be opened is told with its cure, and what was open goes on', () => {
  test.for([
    ['cut.gguf', model.subarray(0, 5000), /^Cannot read cut\.gguf: .*cut short or broken: copy or download it again$/],
    [
      'magic.gguf',
      Buffer.from('GGML, of an older time'),
      /^Cannot open magic\.gguf: it begins with .*download it again/,
    ],
    ['hostile.gguf', HOSTILE, /^Cannot read hostile\.gguf: it claims .*copy or download it again$/],
    [
      'cut.arrow',
      golden.subarray(0, 9000),
      /^Cannot read the trace cut\.arrow: it is cut short .*; write or copy it again$/,
    ],
    [
      'spoilt.arrow',
      spoilt(golden),
      /^Cannot read the trace spoilt\.arrow: its footer claims .*; write or copy it again$/,
    ],
    ['empty.gguf', Buffer.alloc(0), /^Cannot read empty\.gguf: it is empty; choose another file/],
    ['notes.txt', Buffer.from('to be done'), /^Cannot open notes\.txt: it begins with "to be "; wanted a model/],
  ] as const)('%s', async ([name, bytes, says]) => {
    await openModel();
    const dropped = await page.evaluateHandle(`(() => {
      const bytes = Uint8Array.from(atob('${bytes.toString('base64')}'), (character) => character.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], '${name}'));
      return data;
    })()`);
    await page.locator('.map-scroll').dispatchEvent('drop', { dataTransfer: dropped });
    await banner().waitFor();
    expect(await banner().textContent()).toMatch(says);
    await eventually(() => page.locator('.file select').inputValue()).toBe(MODEL);
    await goesOn('Qcur-3');
  });
});

/** Its last bytes, where an Arrow file tells what it holds, are noise. */
function spoilt(bytes: Buffer): Buffer {
  const part = Buffer.from(bytes.subarray(0, 20_000));
  for (let i = 8; i < part.length - 6; i++) part[i] = (i * 37) % 251;
  bytes.copy(part, part.length - 6, bytes.length - 6);
  return part;
}

describe('a model of 4 GB, most of it a hole', () => {
  const content = randomModelContent({ ...modelShapes.awkward, type: 'F32', seed: 7 });
  const big = { name: 'blk.0.attn_rot_embd', type: 'F32', shape: [2 ** 20, 1024], data: () => [] } as const;

  /** The random model, and behind its weights one of 4 GB that no step reads. */
  async function writeLarge(path: string): Promise<void> {
    const withBig: GgufContent = { ...content, tensors: [...content.tensors, big] };
    const size = fileLength(withBig);
    const file = openSync(path, 'w');
    let written = 0;
    for await (const piece of ggufPieces(withBig)) {
      written += writeSync(file, piece);
      if (written === size - byteLength(big)) break;
    }
    ftruncateSync(file, size);
    closeSync(file);
  }

  /** Bytes of memory that the inspector's process has. */
  const memory = (): number => {
    const status = readFileSync(`/proc/${inspectorProcess().pid}/status`, 'utf8');
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  };

  test.for(['by its path', 'from this computer'] as const)('opens by ranges, %s, and memory stays', async (way) => {
    const path = join(lab?.root ?? '', 'large.gguf');
    await writeLarge(path);
    try {
      await page.reload();
      await openModel();
      const before = memory();
      if (way === 'by its path') await page.locator('.file select').selectOption('large.gguf');
      else await page.locator('input[type=file]').setInputFiles(path);
      await page.locator('.opened-as', { hasText: '2 layers' }).waitFor({ timeout: 60_000 });
      await idle();
      await goesOn('Qcur-1');
      expect(memory() - before).toBeLessThan(300e6);
    } finally {
      rmSync(path);
    }
  });
});

test('a file that is deleted under its open session is told, and another opens', async () => {
  const path = join(lab?.root ?? '', 'gone.gguf');
  writeFileSync(path, model);
  await page.reload();
  await openModel('gone.gguf');
  rmSync(path);
  // What is open stays so: on a disk the file lives as long as somebody reads it.
  await goesOn('Qcur-3');
  await page.reload();
  await banner().waitFor();
  expect(await banner().textContent()).toMatch(/^Cannot (open|read) .*gone\.gguf: .*no such file/);
  await openModel();
  await goesOn('Qcur-2');
});

test('the inspector’s process is killed in the middle of a run: the page says so, and the next request starts another', async () => {
  await openModel();
  await goesOn('Qcur-3');
  await page.getByLabel('How many tokens to draw').fill('200');
  await page.getByRole('button', { name: 'Draw', exact: true }).click();
  await page.locator('.working progress').waitFor();
  inspectorProcess().kill('SIGKILL');
  await banner().waitFor();
  expect(await banner().textContent()).toBe(
    "Cannot go on: the inspector's process was ended by SIGKILL. Do it again: another is started",
  );
  await page.getByLabel('Put this message away').click();
  expect(await page.locator('.cell.computed').count()).toBe(111);
  await goesOn('Kcur-4');
  expect(await banner().count()).toBe(0);
});

test('a GPU that is lost is told with what to do; asked again, the same experiment comes to the same bits', async (context) => {
  have(context, await openGpu().catch(() => undefined), 'no WebGPU adapter');
  const changed = ['text=Tom+gave+Lily', 'fault=rope-base:{"base":1000}', 'change=embd:{"how":"scale","by":0.5}'];
  await page.goto(`${page.url().replace(/#.*/, '')}#inspect=1&model=${MODEL}&${changed.join('&')}&step=embd`);
  await page.reload();
  await idle();
  const shown = async () => ({
    chips: await page.locator('.chip').allTextContents(),
    text: await page.getByRole('textbox', { name: 'Text' }).inputValue(),
    link: new URLSearchParams(page.url().replace(/^[^#]*#|&step=.*/g, '')).toString(),
  });
  const experiment = await shown();
  expect(experiment).toMatchObject({ chips: ['rope-base ✕', 'embd: scale 0.5 ✕'], text: 'Tom gave Lily' });
  const before = await wholeRun(page);
  inspectorProcess().kill('SIGUSR2');
  await seeLoss(page);
  expect(await wholeRun(page)).toEqual(before);
  expect(await page.locator('.opened-as').textContent()).toMatch(/; on webgpu, /);
  expect(await shown()).toEqual(experiment);
});

test('a server that is killed and started again under the page finds the inspector where it was', async () => {
  await openModel();
  await page.locator('.token').nth(6).click();
  await goesOn('Qcur-2');
  await page.getByRole('button', { name: 'Go back to here' }).click();
  await eventually(() => page.locator('.cell.computed').count()).toBe(39);
  await idle();
  const { url, numbers } = { url: page.url(), numbers: await page.locator('.numbers span').allTextContents() };
  await lab?.stop();
  await page.locator('[data-step="embd"]').click();
  await eventually(() => page.locator('.view .failure').first().textContent()).toMatch(/^Cannot (go on|reach)/);
  await lab?.start();
  await goesOn('Qcur-2');
  await eventually(() => page.locator('.numbers span').allTextContents()).toEqual(numbers);
  expect(await page.locator('.cell.computed').count()).toBe(39);
  expect(page.url()).toBe(url);
  await page.getByRole('button', { name: 'Step →' }).click();
  await eventually(() => page.locator('.cell.computed').count()).toBe(40);
  lab?.errors.splice(0);
});
