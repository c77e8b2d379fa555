/** The lab's host of the inspector: what it opens, and llama.cpp. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
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

test('llama.cpp is not given a model that was dropped, and the cure is said', async (context) => {
  have(context, oracleAvailable() === null || undefined, `${oracleAvailable()}`);
  const dropped = await openModelFrom(await randomModelSource(tiny), nodePlatform, { backend: 'reference' });
  await expect(labHost(fixtures).llamaCpp?.(dropped, [1, 2], {}, 'file')).rejects.toThrow(
    "Cannot run llama.cpp on random.gguf: it was dropped on the page, and llama.cpp reads files by path; copy it into the lab's folder",
  );
});
