/**
 * Every tensor of whole forward passes, webgpu against the f64 reference, on shapes and types that break assumptions. The
 * bound is DESIGN.md's: 1e-5 relative RMS error end to end. Both run the same weights, so quantisation adds nothing.
 */
import { expect, test } from 'vitest';
import { type BlockTypeName, blockTypeNames } from '../../src/gguf/blocks/index.ts';
import { modelShapes, type RandomModelOptions } from '../../src/gguf/random_model.ts';
import { noAdapter, openRandom, relativeRmsError } from './models.ts';

const END_TO_END = 1e-5;

/** The largest relative RMS error of any tensor, over all passes. */
async function worst(
  options: Partial<RandomModelOptions>,
  tokens: readonly number[],
): Promise<[error: number, name: string]> {
  const [device, reference] = [await openRandom('webgpu', options), await openRandom('reference', options)];
  const [ours, truth] = [device.start(tokens, { budget: 4e9 }), reference.start(tokens, { budget: 8e9 })];
  await ours.toEnd();
  await truth.toEnd();
  let found: [number, string] = [0, ''];
  for (const { name, pass } of ours.trace.entries) {
    const [a, b] = [await ours.tensor(name, { pass }), await truth.tensor(name, { pass })];
    const error = relativeRmsError(a.data, b.data);
    if (!(error <= found[0])) found = [error, name];
  }
  expect(truth.trace.entries.length).toBe(ours.trace.entries.length);
  ours.close();
  truth.close();
  return found;
}

const tokens = (n: number, nVocab: number) => Array.from({ length: n }, (_, i) => (i * 7919 + 1) % nVocab);

const { awkward } = modelShapes;

test.skipIf(noAdapter).each<[string, Partial<RandomModelOptions>]>([
  ['5 heads with 1 KV head, head dim 40, ff 416, vocabulary 331', { ...awkward, type: 'F32' }],
  ['the same in F16', { ...awkward, type: 'F16' }],
  ['the same in BF16', { ...awkward, type: 'BF16' }],
  ['heads wider than embd / heads', { headDim: 48, type: 'F32' }],
  ['as many KV heads as heads', { nHeadKv: 4 }],
  ['tied embeddings', { tied: true }],
  ['linear RoPE scaling', { ropeFactor: 4 }],
  ["Llama 3.1's rope_freqs", { ropeFreqs: true }],
  ['one layer, one head', { nLayer: 1, nHead: 1, nHeadKv: 1 }],
])('webgpu agrees with f64 on %s', async (_, options) => {
  const nVocab = options.nVocab ?? 300;
  for (const n of [1, 2, 9]) {
    const [error, name] = await worst(options, tokens(n, nVocab));
    expect(error, name).toBeLessThanOrEqual(END_TO_END);
  }
});

test.skipIf(noAdapter).each(blockTypeNames.map((type) => [type]))(
  'webgpu agrees with f64 on weights of %s',
  async (type: BlockTypeName) => {
    const options = { nLayer: 2, nEmbd: 256, nHead: 4, nHeadKv: 2, nFf: 512, nVocab: 300, type };
    const [error, name] = await worst(options, tokens(5, 300));
    expect(error, name).toBeLessThanOrEqual(END_TO_END);
  },
);

test.skipIf(noAdapter)(
  'webgpu agrees with f64 up to position 2,047, in passes of 512 tokens',
  async () => {
    const options = { ...awkward, nLayer: 1, type: 'F32' as const, nCtx: 2048 };
    const [error, name] = await worst(options, tokens(2048, 331));
    expect(error, name).toBeLessThanOrEqual(END_TO_END);
  },
  300_000,
);
