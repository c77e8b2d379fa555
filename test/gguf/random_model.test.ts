/** Random models: the numbers are as spread as they should be, and llama.cpp loads and runs what is written. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { blockTypeNames, blockTypes } from '../../src/gguf/blocks/index.ts';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { RandomBits, randomBlocks } from '../../src/gguf/random_blocks.ts';
import { modelShapes, type RandomModelOptions, randomModel, randomModelSource } from '../../src/gguf/random_model.ts';
import { readGguf } from '../../src/gguf/reader.ts';
import { llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';

const plain = { nLayer: 2, nEmbd: 256, nHead: 4, nHeadKv: 2, nFf: 512, nVocab: 400 };

test.each(blockTypeNames)('%s blocks have the mean and the standard deviation that were asked for', (type) => {
  const count = 1 << 18;
  const sigma = 0.02;
  const numbers = new Float32Array(count);
  blockTypes[type].dequantize(randomBlocks(type, count, sigma, new RandomBits(1, 1)), 0, numbers);
  const mean = numbers.reduce((sum, x) => sum + x, 0) / count;
  const deviation = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / count);
  expect(Math.abs(mean)).toBeLessThan(0.01 * sigma); // measured: at most 0.006, for Q3_K
  expect(Math.abs(deviation / sigma - 1)).toBeLessThan(0.02); // measured: at most 0.016; the blocks' spread adds 0.01
});

test('the same options give the same bytes, and another seed others', async () => {
  const bytes = (seed: number) => joinBytes(randomModel({ ...plain, type: 'Q8_0', seed }));
  const first = await bytes(1);
  expect(Buffer.compare(await bytes(1), first)).toBe(0);
  expect(Buffer.compare(await bytes(2), first)).not.toBe(0);
});

test('rows that are no multiple of the block are stored as F16', async () => {
  const file = await readGguf(await randomModelSource({ ...modelShapes.awkward, type: 'Q8_0', seed: 1 }));
  expect(file.tensors.get('blk.0.attn_q.weight')).toMatchObject({ type: 'F16', shape: [200, 200] });
  expect(file.tensors.get('blk.0.ffn_down.weight')).toMatchObject({ type: 'Q8_0', shape: [200, 416] });
});

test('a shape that no Llama can have is refused with what is wrong', () => {
  expect(() => randomModel({ ...plain, nHeadKv: 3, type: 'F16', seed: 1 }).next()).toThrow(/4 heads cannot share 3/);
  expect(() => randomModel({ ...plain, nVocab: 100, type: 'F16', seed: 1 }).next()).toThrow(/vocabulary of 100/);
  expect(() => randomModel({ ...plain, nLayer: 0.5, type: 'F16', seed: 1 }).next()).toThrow(/whole numbers/);
});

const isBuilt = existsSync('dist/gguf/random_model.js');

describe.skipIf(!isBuilt)(isBuilt ? 'fixtures/random_model.mjs' : 'skipped: dist/ is missing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-script-'));
  const out = join(folder, 'm.gguf');
  afterAll(() => rmSync(folder, { recursive: true }));
  const script = (...args: string[]) =>
    spawnSync(process.execPath, ['fixtures/random_model.mjs', ...args], { encoding: 'utf8' });

  test('writes the model that its arguments say', async () => {
    const { status, stdout } = script(
      '--out',
      out,
      '--shape',
      'awkward',
      '--layers',
      '1',
      '--type',
      'Q8_0',
      '--seed',
      '5',
    );
    expect([status, stdout]).toEqual([0, `${out}: ${readFileSync(out).length} bytes\n`]);
    const wanted = await joinBytes(randomModel({ ...modelShapes.awkward, nLayer: 1, type: 'Q8_0', seed: 5 }));
    expect(Buffer.compare(readFileSync(out), wanted)).toBe(0);
  });

  test.each([
    [[], 2, '--out is missing'],
    [['--out', out], 2, '--embd is missing'],
    [['--out', out, '--shape', 'nothing'], 2, '--shape is "nothing"; known are tinyllama'],
    [['--out', out, '--shape', 'awkward', '--type', 'IQ2_S'], 2, '--type is "IQ2_S"; known are F32'],
    [['--out', out, '--shape', 'awkward', '--ff', '-3'], 2, '--ff'],
    [['--out', out, '--shape', 'awkward', '--vocab', '100'], 1, 'vocabulary of 100'],
    [['--out', join(folder, 'no', 'such', 'm.gguf'), '--shape', 'awkward'], 1, 'Cannot write'],
  ] as const)('%j exits with %d, says why, and leaves no half file', (args, code, message) => {
    const before = readdirSync(folder);
    const { status, stderr } = script(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(code);
    expect(readdirSync(folder)).toEqual(before);
  });
});

const missing = oracleAvailable();

describe.skipIf(missing)(missing ? `skipped: ${missing}` : 'llama.cpp', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-random-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const models: Record<string, RandomModelOptions> = {
    'the awkward shape in F32': { ...modelShapes.awkward, type: 'F32', seed: 1 },
    'the awkward shape in F16': { ...modelShapes.awkward, type: 'F16', seed: 2 },
    'the awkward shape in Q8_0': { ...modelShapes.awkward, type: 'Q8_0', seed: 3 },
    'a head longer than embd / heads': { ...plain, headDim: 96, type: 'Q8_0', seed: 4 },
    'tied embeddings and rope_freqs': {
      ...plain,
      tied: true,
      ropeFreqs: true,
      ropeBase: 500_000,
      type: 'F16',
      seed: 5,
    },
    'linear RoPE scaling': { ...plain, ropeFactor: 4, type: 'Q4_0', seed: 6 },
    ...Object.fromEntries(
      blockTypeNames.map((type, i) => [`all matrices in ${type}`, { ...plain, type, seed: 10 + i }]),
    ),
  };

  test.each(Object.entries(models))('runs %s, and its logits are neither flat nor wild', async (name, options) => {
    const path = join(folder, `${name.replaceAll(/\W+/g, '_')}.gguf`);
    writeFileSync(path, await joinBytes(randomModel(options)));
    const model = llamaCpp(path);
    try {
      const ids = await model.tokenize('te sa ro');
      expect(ids[0]).toBe(1);
      expect(await model.detokenize(ids.slice(1))).toMatch(/^ ?te sa ro$/);
      const { data } = await model.logits(ids);
      const deviation = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
      expect(deviation).toBeGreaterThan(0.5);
      expect(deviation).toBeLessThan(2);
    } finally {
      await model.close();
    }
  });
});
