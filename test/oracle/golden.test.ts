/** Golden tensors: an Arrow trace like any other, and the same bytes each time it is made. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArrow } from '../../src/node/index.ts';
import { sha256 } from '../../src/oracle/digest.ts';
import { writeGolden } from '../../src/oracle/golden.ts';
import { llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';
import { writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();

describe.skipIf(missing !== null)(`golden tensors${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-golden-'));
  const model = join(folder, 'random.gguf');
  const golden = join(folder, 'golden', 'random.arrow');

  beforeAll(async () => {
    process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
    writeRandomModel(model, { nLayer: 1, nHead: 4, nHeadKv: 2, headDim: 16, nFf: 96 }, 5);
    mkdirSync(join(folder, 'golden'));
    expect(await writeGolden(golden, model, 'the ball')).toBe(readFileSync(golden).length);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('say what made them, and nothing of this machine or this day', async () => {
    const { manifest } = await readArrow(golden);
    expect(manifest).toMatchObject({
      producer: 'llama.cpp',
      file: 'random.gguf',
      twinOf: await sha256(model),
      prompt: 'the ball',
      pieces: ['<s>', ' the', ' ball'],
    });
    expect(JSON.stringify(manifest)).not.toContain(folder);
    expect(manifest).not.toHaveProperty('date');
  });

  it('hold every tensor of the trace bit for bit: an F32 model is its own twin', async () => {
    const read = await readArrow(golden);
    const oracle = llamaCpp(model);
    const trace = await oracle.trace(read.manifest.tokens ?? []);
    await oracle.close();
    expect(read.names).toEqual(trace.names);
    for (const name of trace.names) expect(await read.tensor(name), name).toEqual(await trace.tensor(name));
    await trace.close();
  });

  it('are the same bytes when they are made again', async () => {
    const again = join(folder, 'golden', 'again.arrow');
    await writeGolden(again, model, 'the ball');
    expect(readFileSync(again).equals(readFileSync(golden))).toBe(true);
    expect(readdirSync(join(folder, 'golden')).sort()).toEqual(['again.arrow', 'random.arrow']);
  });
});
