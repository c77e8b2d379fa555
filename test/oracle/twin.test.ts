/** F32 twins: what they say of themselves, how large they may be, those of the first layers, and what an interruption leaves. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { randomModel } from '../../src/gguf/random_model.ts';
import { openModel } from '../../src/node/index.ts';
import { sha256 } from '../../src/oracle/digest.ts';
import { f32Twin, llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';
import type { Progress } from '../../src/platform.ts';
import { tiny } from '../engine/models.ts';

const missing = oracleAvailable();
const IDS = [1, 40, 270, 99, 262];

describe.skipIf(missing !== null)(`an F32 twin${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-twin-'));
  const file = join(folder, 'random.gguf');
  const cache = join(folder, 'cache');
  const kept = () => readdirSync(join(cache, 'f32')).sort();

  beforeAll(async () => {
    process.env.LAYERSCOPE_CACHE = cache;
    writeFileSync(file, await joinBytes(randomModel({ ...tiny, type: 'Q4_0' })));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The trace of IDS, its process closed. */
  async function traced(path: string) {
    const oracle = llamaCpp(path);
    const trace = await oracle.trace(IDS);
    await oracle.close();
    return trace;
  }

  it('above the limit is refused with its size and both cures, and nothing is written', async () => {
    await expect(f32Twin(file, { limit: 100_000 })).rejects.toThrow(
      /^Cannot make the F32 twin of .*random\.gguf: it takes \d+ kB, more than the limit of 100 kB; raise limit, or imitate .*\(ggmlArithmetic\), or .*\{ layers: 2 \}\)$/,
    );
    expect(readdirSync(folder)).toEqual(['random.gguf']);
  });

  it('that is stopped leaves nothing of itself, and is made when it is asked for again', async () => {
    const controller = new AbortController();
    const stopping = f32Twin(file, {
      signal: controller.signal,
      onProgress: ({ task }) => task.startsWith('writing') && controller.abort(),
    });
    await expect(stopping).rejects.toMatchObject({ name: 'InterruptedError' });
    expect(kept().filter((name) => !name.endsWith('.json'))).toEqual([]);
    expect(statSync(await f32Twin(file)).size).toBeGreaterThan(0);
    expect(kept().filter((name) => !name.endsWith('.json'))).toEqual([`${await sha256(file)}.gguf`]);
  });

  it('says its size and the free space before it is written, and how far it is', async () => {
    rmSync(join(cache, 'f32'), { recursive: true });
    const told: Progress[] = [];
    const twin = await f32Twin(file, { onProgress: (progress) => told.push(progress) });
    const { size } = statSync(twin);
    const writing = told.filter(({ task }) => task.startsWith('writing'));
    const total = writing[0]?.total ?? 0;
    expect(writing[0]).toMatchObject({ done: 0, unit: 'bytes' });
    expect(Math.abs(total - size)).toBeLessThan(200); // llama.cpp adds a key or two.
    expect(writing[0]?.task).toMatch(/^writing the F32 twin \(\d+ kB; \d.* are free\)$/);
    expect(writing.at(-1)).toMatchObject({ done: total, total });
  });

  it('is found again by the content of the file, be it a path or a model', async () => {
    const model = await openModel(file, { backend: 'reference' });
    expect(await f32Twin(model)).toBe(await f32Twin(file));
    expect(basename(await f32Twin(file))).toBe(`${await model.sha256()}.gguf`);
    await model.close();
  });

  it('of the first layers has the tensors of the whole up to there, and no logits', async () => {
    const [whole, first] = [await traced(await f32Twin(file)), await traced(await f32Twin(file, { layers: 2 }))];
    const end = whole.names.indexOf('l_out-1');
    expect(first.names).toEqual(whole.names.slice(0, end + 1));
    for (const name of first.names) expect(await first.tensor(name), name).toEqual(await whole.tensor(name));
    expect(first.unmapped.names).toContain('result_output:MUL_MAT:0');
    const origin = { twinOf: await sha256(file), quantisation: 'Q4_0 F32' };
    expect(first.manifest).toMatchObject({ ...origin, layers: 2, precision: 'f32' });
    expect(whole.manifest).toMatchObject({ ...origin, precision: 'f32' });
    expect(whole.manifest).not.toHaveProperty('layers');
    expect(kept().filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('of as many layers as there are is the whole one; of none, or of a part of one, there is none', async () => {
    expect(await f32Twin(file, { layers: 3 })).toBe(await f32Twin(file));
    for (const layers of [0, 1.5]) {
      await expect(f32Twin(file, { layers })).rejects.toThrow(/^Cannot take the first layers of .*; wanted 1, 2, …$/);
    }
  });
});
