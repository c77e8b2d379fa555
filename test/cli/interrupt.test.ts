import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backends, noAdapter } from '../engine/models.ts';
import { start, TINY, Workplace } from './layerscope.ts';

const place = new Workplace();
const env = { LAYERSCOPE_BACKEND: noAdapter ? 'reference' : 'webgpu' };
let model = '';

beforeAll(async () => {
  // Wide and deep enough that a run takes seconds.
  model = await place.model('slow.gguf', {
    ...TINY,
    nLayer: 16,
    nEmbd: 512,
    nHead: 8,
    nFf: 1408,
    nCtx: 2048,
    type: 'Q8_0',
  });
});
afterAll(() => place.remove());

/** Resolves when a file whose name holds `part` stands in the folder. */
async function appears(part: string): Promise<void> {
  while (place.named(part).length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('Ctrl-C', () => {
  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'while a large trace is written, whose size was said, leaves no half file (%s: %d)',
    async ([signal, code]) => {
      const out = place.path('x.arrow');
      const { child, ended } = start(['trace', model, '--prompt', 'ba be '.repeat(200), '--out', out], { env });
      await appears('.partial');
      child.kill(signal);
      const { stderr, ...rest } = await ended;
      expect(rest).toEqual({ code, signal: null, stdout: '' });
      expect(stderr).toMatch(/^Writing \S+: it will take about 1\.\d+ GB, and \S+ \w+ are free\n$/);
      expect([existsSync(out), place.named('.partial')]).toEqual([false, []]);
    },
  );

  test.each(backends)('while text is drawn on %s ends it', async (backend) => {
    const { child, ended } = start(['generate', model, '--prompt', 'ba', '-n', '1500', '--backend', backend]);
    await once(child.stdout!, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, signal: null });
  });
});
