import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureGolden, readGolden, writeGolden } from '../../src/oracle/golden.ts';
import { llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';
import { writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();

describe.skipIf(missing !== null)(`golden tensors${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-golden-'));
  const model = join(folder, 'random.gguf');

  beforeAll(() => {
    process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
    writeRandomModel(model, { nLayer: 1, nHead: 4, nHeadKv: 2, headDim: 16, nFf: 96 }, 5);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('come back from the file bit for bit, with the prompt and the versions that made them', async () => {
    const golden = await captureGolden(model, 'the ball');
    const path = join(folder, 'golden', 'random.arrow');
    await writeGolden(path, golden);
    const read = await readGolden(path);
    expect(read.manifest).toEqual(golden.manifest);
    expect(read.manifest.pieces).toEqual(['<s>', ' the', ' ball']);
    expect([...read.tensors.keys()]).toEqual([...golden.tensors.keys()]);
    for (const [name, { shape, data }] of golden.tensors) {
      expect(read.tensors.get(name), name).toEqual({ shape, data });
    }
    expect(readdirSync(join(folder, 'golden'))).toEqual(['random.arrow']);
  });

  it('hold every tensor of the trace: an F32 model is its own twin', async () => {
    const { tensors, manifest } = await captureGolden(model, 'the ball');
    const oracle = llamaCpp(model);
    const trace = await oracle.trace(manifest.tokens);
    await oracle.close();
    expect([...tensors.keys()]).toEqual([...trace.tensors.keys()]);
    expect(tensors.get('result_output')?.data).toEqual(trace.tensors.get('result_output')?.data);
  });

  it('are refused where another Arrow file is given', async () => {
    const path = join(folder, 'other.arrow');
    writeFileSync(path, tableToIPC(tableFromArrays({ name: Int32Array.of(1) }), 'file'));
    await expect(readGolden(path)).rejects.toThrow('its schema has no metadata "layerscope.golden"');
  });
});
