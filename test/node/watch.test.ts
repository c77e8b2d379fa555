import { expect, test } from 'vitest';
import { InterruptedError } from '../../src/errors.ts';
import { openModel, setWatch } from '../../src/node/index.ts';
import type { Progress } from '../../src/platform.ts';

const MODEL = new URL('../../fixtures/lily-4m-f16.gguf', import.meta.url).pathname;

test('a process has one watch, which a model opened before sees, and which can be taken back', async () => {
  const model = await openModel(MODEL, { backend: 'reference' });
  const run = model.start('Lily gave');
  const told: Progress[] = [];
  try {
    setWatch({ signal: AbortSignal.abort(), onProgress: (progress) => void told.push(progress) });
    await expect(run.toEnd()).rejects.toThrow(InterruptedError);
    setWatch({ onProgress: (progress) => void told.push(progress) });
    await run.layer(0);
    expect(told.at(-1)).toMatchObject({ task: 'running', item: 'l_out-0', unit: 'steps' });
  } finally {
    setWatch({});
  }
  told.length = 0;
  await run.toEnd();
  expect(told).toEqual([]);
});
