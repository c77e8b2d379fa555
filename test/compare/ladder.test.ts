import { describe, expect, test } from 'vitest';
import { type LadderOptions, PrecisionLadder, precisionLadder, type RungName } from '../../src/compare/ladder.ts';
import { type Model, openModelFrom } from '../../src/engine/model.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { f16Accumulation } from '../../src/engine/transforms/f16_accumulation.ts';
import { f16Storage } from '../../src/engine/transforms/f16_storage.ts';
import { DeviceError, InterruptedError, UsageError } from '../../src/errors.ts';
import { type RandomModelOptions, randomModelSource } from '../../src/gguf/random_model.ts';
import type { Platform, Progress } from '../../src/platform.ts';
import { noAdapter, openRandom, platform, relativeRmsError, tiny } from '../engine/models.ts';

const TOKENS = [1, 40, 77, 105, 260, 33];

/** A host without a GPU: every rung is then the same on every machine. */
const withoutGpu: Platform = {
  ...platform,
  gpu: async () => {
    throw new DeviceError('Cannot open a GPU: this host has none');
  },
};
const openHere = async (options: Partial<RandomModelOptions> = {}): Promise<Model> =>
  openModelFrom(await randomModelSource({ ...tiny, type: 'Q8_0', ...options }), withoutGpu, { backend: 'reference' });
const climb = async (rungs?: readonly RungName[], options: LadderOptions = {}) =>
  precisionLadder(await openHere(), TOKENS, { ...(rungs ? { rungs } : {}), ...options });

describe('the precision ladder', () => {
  test('has the error against f64 of each layer, the norm and the logits, rung by rung', async () => {
    const model = await openHere();
    const { rungs, skipped } = await precisionLadder(model, TOKENS);
    expect(rungs.map(({ name, backend }) => [name, backend])).toEqual([
      ['f16 storage', 'reference'],
      ['f16 accumulation', 'reference'],
      ["ggml's rounding", 'reference'],
    ]);
    expect(skipped).toEqual([{ name: 'f32', why: 'Cannot open a GPU: this host has none' }]);
    const names = ['l_out-0', 'l_out-1', 'l_out-2', 'result_norm', 'result_output'];
    for (const { drift } of rungs) expect(drift.map(({ name }) => name)).toEqual(names);

    const [exact, stored] = [await model.start(TOKENS).toEnd(), await model.with(f16Storage()).start(TOKENS).toEnd()];
    for (const { name, relativeRmsError: error } of rungs[0]?.drift ?? []) {
      const wanted = relativeRmsError((await stored.tensor(name)).data, (await exact.tensor(name)).data);
      expect(error, name).toBeCloseTo(wanted, 12);
    }
  });

  test('says at each position how far the next token’s distribution moved, and where another token is the likeliest', async () => {
    const model = await openHere();
    const tokens = Array.from({ length: 120 }, (_, i) => 3 + ((i * 7919) % 290));
    const [rung] = (await precisionLadder(model, tokens, { rungs: ['f16 accumulation'] })).rungs;
    const logitsOf = async (of: Model) => (await (await of.start(tokens).toEnd()).tensor('result_output')).rows();
    const [exact, found] = [await logitsOf(model), await logitsOf(model.with(f16Accumulation()))];

    const p = exact[7]!.softmax().data;
    const q = found[7]!.softmax().data;
    const kl = p.reduce((sum, share, i) => sum + share * Math.log(share / q[i]!), 0);
    expect(rung?.kl).toHaveLength(tokens.length);
    // The tensors' own softmax is f32: its KL of 5.8e-6 is good to a few digits.
    expect((rung?.kl[7] ?? 0) / kl).toBeCloseTo(1, 1);

    const flips = exact.flatMap((row, position) => {
      const [best, choice] = [row.topK(1)[0]!.index, found[position]!.topK(1)[0]!.index];
      const tokenOf = (id: number) => ({ id, piece: model.tokenizer.piece(id) });
      const margin = row.at(best) - row.at(choice);
      return best === choice ? [] : [{ position, f64: tokenOf(best), rung: tokenOf(choice), margin }];
    });
    expect(flips.length).toBeGreaterThan(0);
    expect(rung?.flips).toEqual(flips);
  });

  test('prints in a line and is plain data', async () => {
    const ladder = await climb(['f16 storage']);
    expect(`${ladder}`).toMatch(
      /^Precision of random\.gguf over 6 tokens, logits against f64: f16 storage \d\.\de-\d(, \d flips?)?$/,
    );
    const data = JSON.parse(JSON.stringify(ladder));
    expect(new PrecisionLadder(data)).toEqual(ladder);
    expect(data.pieces).toHaveLength(6);
  });

  test('tells how far each rung is, under its name', async () => {
    const told: Progress[] = [];
    await climb(['f16 storage', 'f16 accumulation'], { onProgress: (progress) => told.push(progress) });
    expect([...new Set(told.map(({ task }) => task))]).toEqual([
      'f64: running',
      'f16 storage: running',
      'f16 accumulation: running',
    ]);
    expect(told.at(-1)).toMatchObject({ item: 'result_output', unit: 'steps' });
    expect(told.at(-1)?.done).toBe(told.at(-1)?.total);
  });

  test('stops where it is told to, and says in which rung', async () => {
    const stop = new AbortController();
    const onProgress = ({ task }: Progress) => {
      if (task.startsWith('f16 storage')) stop.abort();
    };
    const climbed = climb(undefined, { signal: stop.signal, onProgress });
    await expect(climbed).rejects.toThrow(InterruptedError);
    await expect(climbed).rejects.toThrow(
      'Cannot finish the precision ladder: interrupted in f16 storage; call it again',
    );
  });

  test('refuses a rung it does not know, and none at all', async () => {
    const model = await openHere();
    await expect(precisionLadder(model, TOKENS, { rungs: ['bf16' as RungName] })).rejects.toThrow(UsageError);
    await expect(precisionLadder(model, TOKENS, { rungs: [] })).rejects.toThrow(/wanted some of f32, f16 storage/);
  });

  test('shows an overflow as infinite, not as a number', async () => {
    const loud = (await openHere()).with(edit('l_out-1', ({ data }) => data.map((x) => 1e6 * x)));
    const [rung] = (await precisionLadder(loud, TOKENS, { rungs: ['f16 storage'] })).rungs;
    const errors = Object.fromEntries(
      (rung?.drift ?? []).map(({ name, relativeRmsError }) => [name, relativeRmsError]),
    );
    expect(errors['l_out-0']).toBeLessThan(1e-2);
    expect(errors['l_out-2']).toBe(Infinity);
  });

  test.skipIf(noAdapter !== null)(
    `on a device f32 is the first rung, far below the others, and the given model still runs${noAdapter ? ` (skipped: ${noAdapter})` : ''}`,
    async () => {
      const model = await openRandom('reference', { type: 'Q8_0' });
      const { rungs, skipped } = await precisionLadder(model, TOKENS);
      expect(skipped).toEqual([]);
      expect(rungs.map(({ name, backend }) => [name, backend])).toEqual([
        ['f32', 'webgpu'],
        ['f16 storage', 'webgpu'],
        ['f16 accumulation', 'webgpu'],
        ["ggml's rounding", 'webgpu'],
      ]);
      const [f32 = 1, ...others] = rungs.map(({ drift }) => drift.at(-1)?.relativeRmsError ?? 0);
      // End to end, see "What agreement means".
      expect(f32).toBeLessThan(1e-5);
      for (const error of others) expect(error).toBeGreaterThan(20 * f32);
      expect((await (await model.start(TOKENS).toEnd()).tensor('result_output')).shape).toEqual([6, 300]);
    },
  );
});
