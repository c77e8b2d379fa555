/** Kernels of the test's own, given to the engine by a platform that has them: they write too little, or read too much. */
import { expect, test } from 'vitest';
import { findStale } from '../../src/compare/stale.ts';
import { type Model, openModelFrom } from '../../src/engine/model.ts';
import { InterruptedError, UsageError } from '../../src/errors.ts';
import { modelShapes, type RandomModelOptions, randomModelSource } from '../../src/gguf/random_model.ts';
import type { Platform } from '../../src/platform.ts';
import { noAdapter, openRandom, platform, tiny } from '../engine/models.ts';

const TOKENS = [1, 40, 77, 105, 260, 31];

/** A random model on a device whose kernel `name` is changed: `pieces` are what stands there and what comes in its place. */
async function withKernel(
  name: string,
  pieces: readonly (readonly [string, string])[],
  options: Partial<RandomModelOptions> = {},
): Promise<Model> {
  const changed: Platform = {
    ...platform,
    // An object of its own: what is compiled is kept with it.
    gpu: async () => ({ ...(await platform.gpu()) }),
    kernel: async (wanted) => {
      const text = await platform.kernel(wanted);
      if (wanted !== name) return text;
      return pieces.reduce((whole, [from, to]) => {
        if (!whole.includes(from)) throw new Error(`Cannot change kernel ${name}: it does not hold "${from}"`);
        return whole.replace(from, to);
      }, text);
    },
  };
  return openModelFrom(await randomModelSource({ ...tiny, ...options }), changed, { backend: 'webgpu' });
}

test.skipIf(noAdapter).each<[string, Partial<RandomModelOptions>]>([
  ['a small one', {}],
  ['5 heads with 1 KV head, head dim 40, ff 416, vocabulary 331', { ...modelShapes.awkward, type: 'F32' }],
  ['weights of Q4_K', { nEmbd: 256, nFf: 512, type: 'Q4_K' }],
  ['weights of Q8_0', { nEmbd: 256, nFf: 512, type: 'Q8_0' }],
])('no step of ours reads what nobody wrote, and each writes all of its own: %s', async (_, options) => {
  const model = await openRandom('webgpu', options);
  expect(await findStale(model, TOKENS)).toEqual({
    unwritten: null,
    reader: null,
    plan: null,
    tensors: 2 * model.steps.length,
  });
});

test.skipIf(noAdapter)('nor in a text that fills the cache and makes it grow', async () => {
  const model = await openRandom('webgpu');
  const tokens = Array.from({ length: 66 }, (_, i) => (i * 37) % 300);
  expect(await findStale(model, tokens)).toMatchObject({ unwritten: null, reader: null });
});

test.skipIf(noAdapter)('a kernel that leaves the last elements is named, and how many they are', async () => {
  const model = await withKernel('silu', [['p.count)', 'p.count - 3u)']]);
  const { unwritten, reader } = await findStale(model, TOKENS);
  expect(unwritten).toEqual({
    ...{ name: 'ffn_silu-0', op: 'silu', layer: 0, pass: 0, count: 3, n: 5 * 96 },
    at: { index: [4, 93], token: 4, head: null },
  });
  expect(reader).toBeNull();
});

test.skipIf(noAdapter)(
  'a kernel that adds to what was there reads stale memory, and is not taken for one that writes too little',
  async () => {
    const model = await withKernel('silu', [['y[i] = value', 'y[i] = 1e-3 * y[i] + value']]);
    const { unwritten, reader, plan } = await findStale(model, TOKENS);
    expect(unwritten).toBeNull();
    expect(reader).toMatchObject({ name: 'ffn_silu-0', op: 'silu', pass: 0, count: 5 * 96, n: 5 * 96 });
    expect(reader?.values[0]).not.toBe(reader?.values[1]);
    expect(plan).toBe('observed');
  },
);

test.skipIf(noAdapter)('a softmax that reads keys beyond the text finds the padding', async () => {
  const model = await withKernel('soft_max', [
    ['min(p.first + row % p.tokens, p.keys)', 'min(p.first + row % p.tokens + 1u, p.keys + 1u)'],
  ]);
  const { reader } = await findStale(model, TOKENS);
  expect(reader).toMatchObject({ name: 'kq_soft_max-0', op: 'soft_max' });
});

test.skipIf(noAdapter)('what only the fused plan does is found in it', async () => {
  const model = await withKernel('fused/silu_mul', [['y[i] = ', 'y[i] = 1e-3 * y[i] + ']]);
  const { unwritten, reader, plan } = await findStale(model, TOKENS);
  expect(unwritten).toBeNull();
  expect(reader).toMatchObject({ name: 'result_output', pass: 1 });
  expect(plan).toBe('fused');
});

test.skipIf(noAdapter)('it is stopped, and the model is as it was', async () => {
  const model = await openRandom('webgpu');
  const hash = async () => (await model.start(TOKENS).toEnd()).trace.entries.at(-1)?.statistics.hash64;
  const before = await hash();
  const controller = new AbortController();
  let seen = 0;
  const onProgress = () => {
    if (++seen === 4) controller.abort();
  };
  await expect(findStale(model, TOKENS, { signal: controller.signal, onProgress })).rejects.toThrow(InterruptedError);
  expect(await hash()).toBe(before);
});

test('on the reference there is no such memory, and that is said', async () => {
  await expect(findStale(await openRandom('reference'), TOKENS)).rejects.toThrow(UsageError);
});
