import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { openModelFrom } from '../../src/engine/model.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { randomModelContent } from '../../src/gguf/random_model.ts';
import { ggufPieces } from '../../src/gguf/writer.ts';
import { readArrow } from '../../src/node/index.ts';
import { backends, openRandom, platform, tiny } from './models.ts';

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

  it('tells the experiment: the text, how it became tokens, where and how it ran, and when it began', async () => {
    const date = new Date(0);
    const content = randomModelContent(tiny);
    const template = "{{ bos_token + messages[0]['content'] }}";
    const metadata = { ...content.metadata, 'tokenizer.chat_template': ['string', template] as const };
    const source = bytesSource('chat.gguf', await joinBytes(ggufPieces({ ...content, metadata })));
    const model = await openModelFrom(source, { ...platform, now: () => date }, { backend });
    const run = await model.start('ab', { select: 'none', statistics: false }).generate(1);
    const { manifest } = run.trace;
    expect(manifest).toMatchObject({ prompt: 'ab', backend, architecture: 'llama', quantisation: 'F32', bos: true });
    expect(manifest.date).toBe('1970-01-01T00:00:00.000Z');
    expect(manifest.plan).toMatchObject({ fused: backend === 'webgpu' ? ['silu_mul'] : [] });
    expect(model.start('ab').trace.manifest.plan).toMatchObject({ fused: [] });
    expect(manifest).not.toHaveProperty('template');
    const chat = model.start('ab', { chat: true }).trace.manifest;
    expect(chat).toMatchObject({ prompt: 'ab', template });
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

describe.each(backends)('printed on %s', (backend) => {
  it('a model, a run and its trace say in a line what they are', async () => {
    const model = await openRandom(backend);
    const run = await model.start([1, 40, 77]).to('l_out-0');
    expect(inspect(model)).toMatch(new RegExp(`^Model .+: 3 layers, \\d+ steps, on ${backend}$`));
    expect(inspect(run)).toBe(`Run of ${model.name}: 3 tokens, next is attn_norm-1`);
    expect(inspect(await run.toEnd())).toContain('3 tokens, all run');
    expect(inspect(run.trace)).toBe(`Trace: ${model.steps.length} tensors, embd to result_output`);
  });
});
