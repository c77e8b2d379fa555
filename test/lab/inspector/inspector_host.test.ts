/** The lab's host of the inspector: what it opens, and llama.cpp. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { openModelFrom } from '../../../src/engine/model.ts';
import { randomModelSource } from '../../../src/gguf/random_model.ts';
import { labHost } from '../../../src/lab/server/inspector_host.ts';
import { Root } from '../../../src/lab/server/root.ts';
import { nodePlatform } from '../../../src/node/index.ts';
import { oracleAvailable } from '../../../src/oracle/index.ts';
import { relativeRmsError, tiny } from '../../engine/models.ts';
import { have } from '../../skip.ts';

const fixtures = await Root.open(fileURLToPath(new URL('../../../fixtures/', import.meta.url)));

test('llama.cpp computes what the reference does of an opened model, and tells progress', async (context) => {
  have(context, oracleAvailable() === null || undefined, `${oracleAvailable()}`);
  const host = labHost(fixtures);
  const model = await openModelFrom(await host.open('lily-4m-f16.gguf'), nodePlatform, { backend: 'reference' });
  const run = await model.start('Lily gave the ball').toEnd();
  const items: string[] = [];
  const theirs = await host.llamaCpp?.(model, run.tokens, { onProgress: ({ task }) => items.push(task) }, 'file');
  const embd = (await theirs?.tensor('embd'))?.data ?? new Float32Array();
  expect(relativeRmsError(embd, (await run.trace.tensor('embd')).data)).toBeLessThan(1e-6);
  expect(items.length).toBeGreaterThan(0);
});

describe('a dump by its path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-dumps-'));
  const outside = mkdtempSync(join(tmpdir(), 'layerscope-elsewhere-'));
  afterAll(() => {
    for (const each of [folder, outside]) rmSync(each, { recursive: true });
  });
  const embd = new Uint8Array(new Float32Array(3 * tiny.nEmbd).fill(0.5).buffer);
  mkdirSync(join(folder, 'theirs'));
  writeFileSync(join(folder, 'theirs', 'embd.f32'), embd);
  writeFileSync(join(folder, 'theirs', 'manifest.json'), '{"tokens": [1, 2, 3]}');
  writeFileSync(
    join(folder, 'sums.md'),
    '| name | sum |\n|---|---|\n| attn_norm-0 | 1 |\n\n| name | sum |\n|---|---|\n| embd | 48 |\n',
  );
  writeFileSync(join(outside, 'secret.md'), '| name | sum |\n|---|---|\n| embd | 1 |\n');
  mkdirSync(join(folder, 'leads_out'));
  symlinkSync(join(outside, 'secret.md'), join(folder, 'link.md'));
  symlinkSync(join(outside, 'secret.md'), join(folder, 'leads_out', 'embd.f32'));

  const opened = async (path: string) => {
    const host = labHost(await Root.open(folder));
    const model = await openModelFrom(await randomModelSource(tiny), nodePlatform, { backend: 'reference' });
    return host.openDump?.(path, { model, tokens: [1, 2, 3] });
  };

  test('may be a folder, or a table in a file', async () => {
    expect((await opened('theirs'))?.names).toEqual(['embd']);
    expect((await opened('sums.md#1'))?.names).toEqual(['attn_norm-0']);
    expect((await opened('sums.md#2'))?.names).toEqual(['embd']);
  });

  test.for(['../secret.md', 'link.md', 'link.md#1', 'leads_out'])(
    '%s, which leads out of the lab, is refused',
    async (path) => {
      await expect(opened(path)).rejects.toThrow(/^Cannot open .*(\.\.|leads out of the lab's folder)/);
    },
  );

  test('that is not there is told', async () => {
    await expect(opened('none')).rejects.toThrow(/^Cannot .*none/);
  });
});

test('llama.cpp is not given a model that was dropped, and the cure is said', async (context) => {
  have(context, oracleAvailable() === null || undefined, `${oracleAvailable()}`);
  const dropped = await openModelFrom(await randomModelSource(tiny), nodePlatform, { backend: 'reference' });
  await expect(labHost(fixtures).llamaCpp?.(dropped, [1, 2], {}, 'file')).rejects.toThrow(
    "Cannot run llama.cpp on random.gguf: it was dropped on the page, and llama.cpp reads files by path; copy it into the lab's folder",
  );
});
