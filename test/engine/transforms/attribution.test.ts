/** Direct logit attribution: that its parts are what they say, and that nothing of a logit is left out. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Model } from '../../../src/engine/model.ts';
import type { Run } from '../../../src/engine/run.ts';
import { attribution } from '../../../src/engine/transforms/attribution.ts';
import { openModel } from '../../../src/node/index.ts';
import { backends, openRandom } from '../models.ts';

const TOKENS = [1, 40, 77, 105];
const PROMPT = 'Lily gave the ball to Tom. Tom thanked';
const lily = (backend: 'webgpu' | 'reference') =>
  openModel(fileURLToPath(new URL('../../../fixtures/lily-4m-f16.gguf', import.meta.url)), { backend });

/** Of one position, in logits: the embedding and what each layer adds, and by head. */
async function partsAt(run: Run, position: number) {
  const rms = (await run.tensor('attribution_rms')).at(position, 0);
  const read = async (name: string) => Array.from((await run.tensor(name)).slice(position).data, (x) => x / rms);
  const one = async (name: string) => (await read(name))[0] as number;
  const layers = Array.from({ length: run.model.config.nLayer }, (_, i) => i);
  return {
    embd: await one('attribution_embd'),
    attn: await Promise.all(layers.map((i) => one(`attribution_attn-${i}`))),
    ffn: await Promise.all(layers.map((i) => one(`attribution_ffn-${i}`))),
    heads: await Promise.all(layers.map((i) => read(`attribution_heads-${i}`))),
  };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** |Σ parts − logit| and |Σ heads − attention|, each against the sum of absolute parts, the worst over all positions. */
async function worstError(model: Model, input: string | readonly number[], token: number, versus?: number) {
  const run = await model
    .with(attribution(versus === undefined ? { token } : { token, versus }))
    .start(input)
    .toEnd();
  const logits = await run.tensor('result_output');
  let worst = 0;
  for (const position of run.tokens.keys()) {
    const { embd, attn, ffn, heads } = await partsAt(run, position);
    const parts = [embd, ...attn, ...ffn];
    const wanted = logits.at(position, token) - (versus === undefined ? 0 : logits.at(position, versus));
    worst = Math.max(worst, Math.abs(sum(parts) - wanted) / sum(parts.map(Math.abs)));
    for (const [layer, own] of heads.entries()) {
      worst = Math.max(worst, Math.abs(sum(own) - (attn[layer] as number)) / sum(own.map(Math.abs)));
    }
  }
  return worst;
}

// Measured, worst of these tests: 4.4e-7 on webgpu, 2.8e-7 on reference, for a trace keeps f32, 6e-8 of each number.
const ROUNDING = 2e-6;

describe.each(backends)('attribution on %s', (backend) => {
  test('parts add up to the token’s logit, and heads to their layer’s attention, on the shipped model', async () => {
    const model = await lily(backend);
    const [Lily] = model.tokenize('Lily', { bos: false }) as [number];
    expect(await worstError(model, PROMPT, Lily)).toBeLessThan(ROUNDING);
  });

  test('parts of a pair add up to the difference of the logits', async () => {
    const model = await lily(backend);
    const ids = [' Lily', ' Tom'].map((name) => model.tokenize(name.trim(), { bos: false })[0] as number);
    expect(await worstError(model, PROMPT, ids[0] as number, ids[1])).toBeLessThan(ROUNDING);
  });

  test.each(['Q4_0', 'Q6_K'] as const)('parts add up on %s weights, with tied embeddings', async (type) => {
    const model = await openRandom(backend, { type, nEmbd: 256, nFf: 256, tied: true });
    expect(await worstError(model, TOKENS, 17, 4)).toBeLessThan(ROUNDING);
  });

  test('a head’s part is its slice of kqv_out through its columns of attn_output, with grouped queries', async () => {
    const model = await openRandom(backend);
    const { nHead, nHeadKv, headDim } = model.config;
    expect(nHead).toBeGreaterThan(nHeadKv);
    const run = await model
      .with(attribution({ token: 17 }))
      .start(TOKENS)
      .toEnd();
    const z = await run.tensor('kqv_out-1');
    const columns = (await model.weight('blk.1.attn_output.weight')).data;
    const [norm, unembed] = [await model.weight('output_norm.weight'), await model.weight('output.weight')];
    const found = await run.tensor('attribution_heads-1');
    for (let head = 0; head < nHead; head++) {
      let wanted = 0;
      for (let row = 0; row < model.config.nEmbd; row++) {
        let written = 0;
        for (let d = 0; d < headDim; d++)
          written += (columns[(row * nHead + head) * headDim + d] as number) * z.at(3, head, d);
        wanted += written * norm.at(row) * unembed.at(17, row);
      }
      expect(found.at(3, head)).toBeCloseTo(wanted, 5);
    }
  });

  test('the parts of a generated token add up too', async () => {
    const model = await openRandom(backend);
    const run = model.with(attribution({ token: 17 })).start(TOKENS);
    await (await run.generate(1, { stopAtEnd: false })).toEnd();
    const { embd, attn, ffn } = await partsAt(run, 0); // the only position of the last pass
    expect(sum([embd, ...attn, ...ffn])).toBeCloseTo((await run.tensor('result_output')).at(0, 17), 4);
  });

  test('it observes: no other tensor changes by a bit', async () => {
    const model = await openRandom(backend);
    const seenBy = model.with(attribution({ token: 17, versus: 4 }));
    const [plain, seen] = [await model.start(TOKENS).toEnd(), await seenBy.start(TOKENS).toEnd()];
    const hash = (run: Run, name: string) => run.trace.entries.find((row) => row.name === name)?.statistics.hash64;
    for (const name of plain.trace.names) expect(hash(seen, name), name).toBe(hash(plain, name));
  });

  test('a layer is done when its parts are there', async () => {
    const run = await (await openRandom(backend))
      .with(attribution({ token: 17 }))
      .start(TOKENS)
      .layer(0);
    expect(run.trace.names).toContain('attribution_ffn-0');
    expect(run.next?.name).toBe('attn_norm-1');
  });
});

test('a token can be given as its piece, its word or its id', async () => {
  const model = await lily('reference');
  const [id] = model.tokenize('Tom', { bos: false }) as [number];
  for (const token of [' Tom', 'Tom', id]) {
    const step = model.with(attribution({ token })).steps.find(({ op }) => op === 'logit_direction');
    expect(step?.params).toEqual({ token: id });
  }
});

test('a text of several tokens, and an id that is none, are refused', async () => {
  const model = await lily('reference');
  expect(() => model.with(attribution({ token: 'Lily gave' }))).toThrow(
    /it is 2 tokens, {2}Lily\| gave; give a text that/,
  );
  expect(() => model.with(attribution({ token: 5, versus: 1024 }))).toThrow(/token 1024: ids go from 0 to 1023/);
});

test('the manifest lists what was attributed', async () => {
  const model = (await openRandom('reference')).with(attribution({ token: 17, versus: 4 }));
  expect(model.manifest(TOKENS).transforms).toEqual([{ name: 'attribution', params: { token: 17, versus: 4 } }]);
});
