/** The same engine in Chromium: nothing may grow here that a browser cannot run. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openModelFrom } from '../../src/engine/model.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { modelShapes, randomModel } from '../../src/gguf/random_model.ts';
import { findChromium } from '../../src/node/host.ts';
import { nodePlatform } from '../../src/node/index.ts';
import { have } from '../skip.ts';
import { type InPage, tensorsOf } from './in_page.ts';
import { type OpenPage, openPage } from './page.ts';

/** Ids that every model below has. */
const TOKENS = [1, 300, 17, 301, 42, 42, 305];

/** DESIGN's "What agreement means": 1e-5 end to end. */
const TOLERANCE = 1e-5;

/** The shipped models by file name, and a random one of sizes that no kernel is made for. */
const fixtures = new URL('../../fixtures/', import.meta.url);
const shipped = readdirSync(fixtures).filter((name) => name.endsWith('.gguf'));
const RANDOM = 'random.gguf';

async function modelBytes(name: string): Promise<Uint8Array> {
  if (name !== RANDOM) return readFile(new URL(name, fixtures));
  return joinBytes(randomModel({ ...modelShapes.awkward, type: 'F32', seed: 7 }));
}

const chromium = findChromium();
let opened: OpenPage | undefined;
const served: Record<string, Uint8Array> = {};

beforeAll(async () => {
  if (!chromium) return;
  opened = await openPage(chromium, served);
  await opened.page.addScriptTag({ content: await bundle() });
});
afterAll(() => opened?.close());

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(new URL('../../', import.meta.url)),
    entryPoints: ['test/browser/in_page.ts'],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    logLevel: 'error', // import.meta.url is empty in a script: the test says where the kernels are
    write: false,
  });
  return outputFiles[0]?.text ?? '';
}

describe('in Chromium', () => {
  test.for([RANDOM, ...shipped])('every tensor of %s agrees with the f64 reference to 1e-5', async (name, context) => {
    const { page } = have(context, opened, 'no Chromium on this machine; install it or set LAYERSCOPE_CHROMIUM');
    const bytes = await modelBytes(name);
    served[`/${name}`] = bytes;
    const pair = [`/${name}`, TOKENS] as const;
    const theirs = await page.evaluate(([url, ids]) => (globalThis as InPage).tensorsOfFile(url, ids), pair);
    const reference = await openModelFrom(bytesSource(name, bytes), nodePlatform, { backend: 'reference' });
    const ours = await tensorsOf(reference, TOKENS);
    expect(Object.keys(theirs)).toEqual(Object.keys(ours));
    for (const [tensor, values] of Object.entries(ours)) {
      expect(relativeRms(theirs[tensor] ?? [], values), tensor).toBeLessThan(TOLERANCE);
    }
  });
});

/** RMS of the difference over RMS of the reference. */
function relativeRms(ours: readonly number[], reference: readonly number[]): number {
  if (ours.length !== reference.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  reference.forEach((value, i) => {
    difference += ((ours[i] ?? Number.NaN) - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(difference / size);
}
