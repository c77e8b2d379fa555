import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readArrow } from '../../src/node/index.ts';
import { backends, openRandom } from './models.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-run-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(backends)('writeArrow on %s', (backend) => {
  it('writes every row of every pass, and readArrow gives the same values and manifest', async () => {
    const path = join(folder, `${backend}.arrow`);
    const model = await openRandom(backend);
    const run = await model.start([1, 40, 77]).generate(2);
    expect(await run.trace.writeArrow(path)).toBeGreaterThan(0);
    const trace = await readArrow(path);
    expect(trace.names).toEqual(run.trace.names);
    for (const name of trace.names) {
      const [theirs, ours] = [await trace.tensor(name, { pass: 'all' }), await run.trace.tensor(name, { pass: 'all' })];
      expect(theirs.map(({ data }) => data)).toEqual(ours.map(({ data }) => data));
      expect(theirs).toHaveLength(2);
    }
    expect(trace.manifest).toEqual(run.trace.manifest);
    expect(trace.manifest.model).toBe(await model.sha256());
    expect(trace.end).toMatchObject({ tokens: run.tokens });
    await trace.close();
  });

  it('keeps only the values that were selected', async () => {
    const path = join(folder, `${backend}-selected.arrow`);
    const run = await (await openRandom(backend)).start([1, 40, 77], { select: 'l_out-*' }).toEnd();
    await run.trace.writeArrow(path);
    const trace = await readArrow(path);
    const withValues = trace.entries.filter(({ hasValues }) => hasValues).map(({ name }) => name);
    expect(withValues).toEqual(['l_out-0', 'l_out-1', 'l_out-2']);
    expect(trace.names).toEqual(run.trace.names);
    await trace.close();
  });

  it('leaves no file where its folder is missing', async () => {
    const run = await (await openRandom(backend)).start([1, 40]).toEnd();
    await expect(run.trace.writeArrow(join(folder, 'missing', 'x.arrow'))).rejects.toThrow('there is no such folder');
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });
});
