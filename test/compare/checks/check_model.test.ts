/** A healthy model raises no suspicion, whatever it is made of and whatever it reads; a check that is stopped leaves it as it was. */
import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { checks } from '../../../src/compare/checks/index.ts';
import { f16Storage } from '../../../src/engine/transforms/f16_storage.ts';
import { ggmlArithmetic } from '../../../src/engine/transforms/ggml_arithmetic.ts';
import { lens } from '../../../src/engine/transforms/lens.ts';
import { InterruptedError } from '../../../src/errors.ts';
import { type BlockTypeName, blockTypeNames } from '../../../src/gguf/blocks/index.ts';
import { modelShapes, type RandomModelOptions } from '../../../src/gguf/random_model.ts';
import { openModel } from '../../../src/node/index.ts';
import type { Progress } from '../../../src/platform.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { seeded } from '../../seeded.ts';
import { failed, scaled, TOKENS } from './bugs.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';
const PROMPTS = isFull ? 100 : 8;

/** Of 1 to `most` tokens, some of them more than once. */
function prompt(random: () => number, nVocab: number, most: number): number[] {
  const some = Array.from({ length: 5 }, () => Math.floor(random() * nVocab));
  return Array.from({ length: 1 + Math.floor(random() * most) }, () =>
    random() < 0.5 ? (some[Math.floor(random() * some.length)] as number) : Math.floor(random() * nVocab),
  );
}

test.each(backends)(
  `${PROMPTS} seeded prompts raise no suspicion of a healthy model, on %s`,
  async (backend) => {
    const model = await openRandom(backend);
    for (let seed = 0; seed < PROMPTS; seed++) {
      const tokens = prompt(seeded(seed), 300, seed % 10 === 0 ? 90 : 24);
      const { outcome, results } = await checkModel(model, { tokens });
      expect({ seed, outcome, failed: failed({ results } as never) }).toEqual({ seed, outcome: 'passed', failed: [] });
    }
  },
  3_600_000,
);

const { awkward } = modelShapes;
const SHAPES: [string, Partial<RandomModelOptions>][] = [
  ['5 heads with 1 KV head, head dim 40, ff 416, vocabulary 331', { ...awkward, type: 'F32' }],
  ['heads wider than embd / heads', { headDim: 48 }],
  ['as many KV heads as heads', { nHeadKv: 4 }],
  ['tied embeddings', { tied: true }],
  ['linear RoPE scaling', { ropeFactor: 4 }],
  ["Llama 3.1's rope_freqs", { ropeFreqs: true }],
  ['one layer, one head', { nLayer: 1, nHead: 1, nHeadKv: 1 }],
  ['a context of three tokens', { nCtx: 3 }],
  ...(isFull ? Array.from({ length: 40 }, (_, seed) => seed) : [0, 2]).map(
    (seed): [string, Partial<RandomModelOptions>] => [`a random shape, seed ${seed}`, randomShape(seed)],
  ),
];

function randomShape(seed: number): Partial<RandomModelOptions> {
  const random = seeded(1000 + seed);
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const [nHeadKv, group] = [whole(1, 3), whole(1, 4)];
  return {
    nLayer: whole(1, 4),
    nHeadKv,
    nHead: nHeadKv * group,
    headDim: 2 * whole(1, 33),
    nEmbd: whole(17, 150),
    nFf: whole(3, 190),
    nVocab: whole(259, 700),
    seed,
  };
}

test.each(backends.flatMap((backend) => SHAPES.map(([title, options]) => [title, options, backend] as const)))(
  'neither does one of awkward shape: %s',
  async (_, options, backend) => {
    const report = await checkModel(await openRandom(backend, options));
    expect(failed(report)).toEqual([]);
    expect(report.outcome).toBe('passed');
  },
);

const TYPES: readonly BlockTypeName[] = isFull ? blockTypeNames : ['F16', 'Q8_0', 'Q4_K', 'Q6_K'];

test.each(backends.flatMap((backend) => TYPES.map((type) => [type, backend] as const)))(
  'nor one of %s, on %s',
  async (type, backend) => {
    const options = { nLayer: 2, nEmbd: 256, nHead: 4, nHeadKv: 2, nFf: 512, type };
    expect(failed(await checkModel(await openRandom(backend, options)))).toEqual([]);
  },
);

test(`${PROMPTS} seeded prompts raise none of the shipped model`, async () => {
  const model = await openModel(new URL('../../../fixtures/lily-4m-q8_0.gguf', import.meta.url).pathname, {
    backend: backends[0],
  });
  for (let seed = 0; seed < PROMPTS; seed++) {
    const tokens = prompt(seeded(seed), model.config.nVocab, seed % 10 === 0 ? 90 : 24);
    const report = await checkModel(model, { tokens });
    expect({ seed, failed: failed(report) }).toEqual({ seed, failed: [] });
  }
  await model.close();
}, 3_600_000);

test('the shipped model passes every check', async () => {
  const model = await openModel(new URL('../../../fixtures/lily-4m-q4_k_m.gguf', import.meta.url).pathname, {
    backend: backends[0],
  });
  const report = await checkModel(model);
  expect(report.results.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(
    checks.map(({ name }) => `${name} passed`),
  );
  expect(report.results.flatMap(({ leftOut }) => leftOut)).toEqual([]);
  await model.close();
});

test('rounding as ggml does it, and storage as halves, are told from a bug; ids that a lens adds are not compared', async () => {
  const model = await openRandom('reference', { type: 'Q8_0' });
  for (const transform of [ggmlArithmetic(), f16Storage(), lens({ layers: [0, 1] })]) {
    expect(failed(await checkModel(model.with(transform), { tokens: TOKENS })), transform.name).toEqual([]);
    expect(
      failed(await checkModel(model.with(transform, scaled('ffn_silu-1', 0)), { tokens: TOKENS })),
      transform.name,
    ).toContain('gate');
  }
});

test('a prompt of one token says which checks it leaves out, and why', async () => {
  const { results } = await checkModel(await openRandom('reference'), { tokens: [5] });
  const could = results.filter(({ outcome }) => outcome === 'could not');
  expect(could.map(({ name }) => name)).toEqual([
    'rope-pairs',
    'context-blind',
    'prefill-decode',
    'causality',
    'position-shift',
  ]);
  expect(could.every(({ says }) => says !== '')).toBe(true);
});

test('where values take more than the budget, layers are sampled, and the report says which', async () => {
  const model = await openRandom('reference', { nLayer: 8 });
  const whole = await checkModel(model, { tokens: TOKENS });
  const report = await checkModel(model, { tokens: TOKENS, budget: 150_000 });
  expect(whole.sampled).toBeNull();
  expect(report.sampled).toMatch(/^Looked at layers 0, .*7 of 8: values of all would take/);
  expect(failed(report)).toEqual([]);
  expect(report.results.flatMap(({ leftOut }) => leftOut)).toEqual([]);
  // The last layer is always among them.
  expect(failed(await checkModel(model.with(scaled('ffn_silu-7', 0)), { tokens: TOKENS, budget: 150_000 }))).toEqual([
    'gate',
  ]);
});

test.each(backends)('stopped anywhere, it leaves the model as it was, on %s', async (backend) => {
  const model = await openRandom(backend);
  const hashes = async () => {
    const run = await model.start(TOKENS).toEnd();
    const found = run.trace.entries.map(({ name, statistics }) => `${name} ${statistics.hash64}`);
    run.close();
    return found;
  };
  const before = await hashes();
  const steps = [...model.steps];
  let events = 0;
  await checkModel(model, { tokens: TOKENS, onProgress: () => void events++ });
  for (const share of [0, 0.3, 0.6, 0.9]) {
    const controller = new AbortController();
    let left = Math.floor(share * events);
    const onProgress = () => {
      if (left-- === 0) controller.abort();
    };
    await expect(checkModel(model, { tokens: TOKENS, signal: controller.signal, onProgress })).rejects.toThrow(
      InterruptedError,
    );
    expect(await hashes()).toEqual(before);
  }
  expect(model.steps).toEqual(steps);
});

test('progress counts up to its total, which it reaches', async () => {
  const seen: Progress[] = [];
  await checkModel(await openRandom('reference'), {
    tokens: TOKENS,
    onProgress: (progress) => void seen.push(progress),
  });
  const done = seen.map((progress) => progress.done);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(seen.at(-1)).toMatchObject({ task: 'checking', done: seen[0]?.total });
});

test('tokens that are none of the model are refused', async () => {
  await expect(checkModel(await openRandom('reference'), { tokens: [1, 300] })).rejects.toThrow(
    '300 is not a token id',
  );
});
