/**
 * What the checks catch, fault by fault: in the shipped model, and in random ones of awkward shape (grouped heads and odd sizes;
 * tied embeddings and scaled RoPE; Q4_0 with Llama 3.1's rope_freqs). It is the table of the CHANGELOG. Each fault in one of them,
 * drawn by a seed, by default; in each of them with LAYERSCOPE_FULL=1.
 *
 * Measured, all of them: the same check fails in every model that can have a fault. 43 of 46 faults are caught in the shipped one
 * (nibbles-swapped in its Q4_0), 41 of 45, 42 of 46 and 42 of 46 in the others: softmax-without-max is no fault before a score
 * overflows, which only the shipped model's do.
 */
import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { fault, faults } from '../../../src/engine/faults/index.ts';
import type { Model } from '../../../src/engine/model.ts';
import { UsageError } from '../../../src/errors.ts';
import { openModel } from '../../../src/node/index.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { seeded } from '../../seeded.ts';
import { failed } from './bugs.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';

/** The check that fails, whatever others do; null where none does. */
const CATCHES: Readonly<Record<string, string | null>> = {
  // They change the ids of a text, and a check takes ids.
  'bos-missing': null,
  'bos-doubled': null,
  'wrong-chat-template': null,
  'embedding-off-by-one': 'products',
  'k-rows-permuted': 'products',
  'output-norm-missing': 'products',
  'lm-head-transposed': 'products',
  'tied-embedding-ignored': 'products',
  'tied-by-mistake': 'products',
  'nibbles-swapped': 'products',
  'layers-swapped': 'norms',
  'layer-skipped': 'residual',
  'norm-eps': 'norms',
  'norm-weight-missing': 'norms',
  'norm-weight-plus-one': 'norms',
  'layer-norm-for-rms-norm': 'norms',
  'stale-buffer': 'prefill-decode',
  'f16-accumulation': 'first-token',
  'rope-pairing': 'rope-pairs',
  'rope-exponent-sign': 'rope-angles',
  'rope-base': 'rope-angles',
  'rope-dim': 'rope-angles',
  'rope-scaling-ignored': 'rope-angles',
  'rope-missing': 'rope-angles',
  'rope-on-v': 'position-shift',
  'decode-position': 'rope-angles',
  'position-restarts': 'rope-angles',
  'kv-cache-off-by-one': 'prefill-decode',
  'kv-cache-wrong-layer': 'first-token',
  'value-from-key-cache': 'first-token',
  'kv-pos-clamp': 'prefill-decode',
  'gqa-tiled': 'first-token',
  'attention-scale-missing': 'scaled-scores',
  'attention-scale-wrong': 'scaled-scores',
  'no-causal-mask': 'causality',
  'mask-off-by-one': 'causality',
  'mask-without-past': 'scaled-scores',
  'softmax-without-max': 'finite',
  'v-not-transposed': 'first-token',
  'heads-not-merged': 'first-token',
  'residual-missing': 'residual',
  'residual-doubled': 'residual',
  'residual-normed': 'residual',
  'silu-zero': 'gate',
  'sigmoid-for-silu': 'gate',
  'gelu-for-silu': 'gate',
  'gate-up-swapped': 'gate',
  'last-row': 'prefill-decode',
};

const ODD = { nLayer: 3, nEmbd: 83, nHead: 6, nHeadKv: 2, headDim: 18, nFf: 101, nVocab: 331, nCtx: 128 };
const shipped = (type: string) => new URL(`../../../fixtures/lily-4m-${type}.gguf`, import.meta.url).pathname;

const models: Readonly<Record<string, () => Promise<Model>>> = {
  shipped: () => openModel(shipped('q8_0'), { backend: backends[0] }),
  'shipped in Q4_0': () => openModel(shipped('q4_0'), { backend: backends[0] }),
  'odd sizes': () => openRandom('reference', ODD),
  'tied embeddings, scaled RoPE': () =>
    openRandom('reference', { ...ODD, nHead: 9, nHeadKv: 3, headDim: 24, tied: true, ropeFactor: 4, seed: 3 }),
  'Q4_0, rope_freqs': () =>
    openRandom('reference', {
      ...{ nLayer: 4, nEmbd: 96, nHead: 4, nHeadKv: 2, headDim: 40, nFf: 160, type: 'Q4_0', ropeFreqs: true },
      ...{ ropeBase: 500_000, seed: 5 },
    }),
};

const opened = new Map<string, Promise<Model>>();

function modelNamed(name: string): Promise<Model> {
  const model = opened.get(name) ?? (models[name] as () => Promise<Model>)();
  opened.set(name, model);
  return model;
}

function withFault(model: Model, name: string): Model | null {
  try {
    return model.with(fault(name));
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

/** Each fault in each model that can have it; of the shipped one's Q4_0 that which only it can. */
async function homesOf(name: string): Promise<string[]> {
  const homes: string[] = [];
  for (const home of Object.keys(models)) {
    if (home === 'shipped in Q4_0' && name !== 'nibbles-swapped') continue;
    if (withFault(await modelNamed(home), name)) homes.push(home);
  }
  return homes;
}

const random = seeded(16);
const drawn = faults.map(({ name }) => ({ name, at: random() }));

test('every fault is in the table, and every check of it is one', () => {
  expect(Object.keys(CATCHES).sort()).toEqual(faults.map(({ name }) => name).sort());
});

test.each(drawn)(
  '$name is caught by the check that the table has, or by none',
  async ({ name, at }) => {
    const homes = await homesOf(name);
    expect(homes.length).toBeGreaterThan(0);
    for (const home of isFull ? homes : [homes[Math.floor(at * homes.length)] as string]) {
      const found = failed(await checkModel(withFault(await modelNamed(home), name) as Model));
      const overflows = name !== 'softmax-without-max' || home === 'shipped';
      const check = overflows ? CATCHES[name] : null;
      if (check) expect(found, home).toContain(check);
      else expect(found, home).toEqual([]);
    }
  },
  120_000,
);
