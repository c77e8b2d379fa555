/** A disk with too little room: said before anything is computed or written, with what is wanted and what is there. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { randomModel } from '../../src/gguf/random_model.ts';
import { f32Twin, llamaCpp, oracleAvailable } from '../../src/oracle/index.ts';
import { tiny } from '../engine/models.ts';

const disk = vi.hoisted(() => ({ free: 0 }));
vi.mock('../../src/node/arrow_file.ts', async (original) => ({
  ...(await original<object>()),
  freeSpace: async () => disk.free,
}));

const missing = oracleAvailable();
const IDS = Array.from({ length: 100 }, (_, i) => 10 + i);

describe.skipIf(missing !== null)(`with little room${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-room-'));
  const file = join(folder, 'random.gguf');

  beforeAll(async () => {
    process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
    writeFileSync(file, await joinBytes(randomModel({ ...tiny, type: 'F16' })));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('a capture is refused where its values do not fit, and made where they just do', async () => {
    const oracle = llamaCpp(file);
    disk.free = 1e9;
    const trace = await oracle.trace(IDS);
    const bytes = (rows: typeof trace.entries) => rows.reduce((sum, { statistics }) => sum + 4 * statistics.n, 0);
    const ours = bytes(trace.entries);
    const theirs = bytes(trace.unmapped.entries.filter(({ op }) => op !== 'input' && op !== 'get_rows'));
    await trace.close();

    disk.free = ours + theirs - 1;
    await expect(oracle.trace(IDS)).rejects.toThrow(
      /^Cannot trace .*random\.gguf in llama\.cpp: its values take \S+ MB or more, and \S+ has \S+ MB free; trace fewer nodes, .* TMPDIR/,
    );
    disk.free = ours + theirs;
    await (await oracle.trace(IDS)).close();
    disk.free = 4 * IDS.length * tiny.nEmbd;
    expect((await oracle.trace(IDS, { nodes: 'l_out-2' })).names).toEqual(['l_out-2']);
    await oracle.close();
  });

  it('a twin is refused with its size, what is free and the cures, and nothing is written', async () => {
    disk.free = 100_000;
    await expect(f32Twin(file)).rejects.toThrow(
      /^Cannot make the F32 twin of .*: it takes \d+ kB, and 100 kB are free where .*; make room, set LAYERSCOPE_CACHE .*ggmlArithmetic.*layers: 2/,
    );
    expect(readdirSync(folder)).toEqual(['random.gguf']);
  });
});
