import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { bugHunt, type HuntLevel } from '../../src/compare/bug_hunt.ts';
import { compare } from '../../src/compare/compare.ts';
import { probeNamed, probeTokens } from '../../src/compare/probes.ts';
import { faultNamed, faults } from '../../src/engine/faults/index.ts';
import { InterruptedError, UsageError } from '../../src/errors.ts';
import { openModel } from '../../src/node/index.ts';
import { noAdapter, openRandom } from '../engine/models.ts';

const SEEDS = Array.from({ length: 12 }, (_, seed) => seed);
const names = faults.map(({ name }) => name);

/** The hunt, and what was drawn, which only `submit` tells. */
async function opened(level: HuntLevel, seed: number) {
  const model = await openRandom('reference');
  const hunt = await bugHunt({ model, seed, level });
  const { drawn, path } = await hunt.submit('silu-zero');
  const place = Object.fromEntries(Object.entries(drawn).filter(([key]) => key !== 'name'));
  return { model, hunt, drawn, path, place };
}

describe.each(['easy', 'hard'] as const)('of level %s', (level) => {
  test.each(SEEDS)('seed %i: the fault and its place get all points, and the path shows it', async (seed) => {
    const { model, hunt, drawn, path, place } = await opened(level, seed);
    const { score, isFault, isLayer, isHead } = await hunt.submit(drawn.name, place);
    expect({ score, isFault, isLayer, isHead }).toEqual({ score: 100, isFault: true, isLayer: true, isHead: true });
    expect(level === 'easy').toBe(path.probe === 'one token');

    const passes = probeNamed(path.probe).passes(probeTokens(model), model.tokenizer.bos ?? 0);
    const tokens = passes.flat();
    const trace = await hunt.trace(tokens, { decode: passes.length - 1 });
    const run = await model.start(passes[0]!).toEnd();
    for (const more of passes.slice(1)) await (await run.append(more)).toEnd();
    const { verdict, firstDivergence } = await compare(trace, run);
    expect(verdict).toBe('bug');
    if (passes.length === 1) expect(firstDivergence?.name).toBe(path.tensor);
    else expect(firstDivergence).not.toBeNull();
  });
});

test('a hard one agrees with the healthy model on one token', async () => {
  for (const seed of SEEDS) {
    const { model, hunt } = await opened('hard', seed);
    const [token] = probeTokens(model);
    const ours = await (await hunt.trace([token!])).tensor('result_output');
    const healthy = await (await model.start([token!]).toEnd()).tensor('result_output');
    expect(ours.data).toEqual(healthy.data);
  }
});

test('the same seed draws the same, seeds draw many faults and places', async () => {
  const drawn: string[] = [];
  for (const seed of SEEDS) {
    const once = (await opened('hard', seed)).drawn;
    expect((await opened('hard', seed)).drawn).toEqual(once);
    drawn.push(JSON.stringify(once));
  }
  expect(new Set(drawn).size).toBeGreaterThan(SEEDS.length / 2);
});

test('nothing that is given out names the fault: neither rows, nor manifest, nor printing, nor JSON', async () => {
  for (const seed of SEEDS) {
    for (const level of ['easy', 'hard'] as const) {
      const { model, hunt, drawn } = await opened(level, seed);
      const tokens = probeTokens(model).slice(0, 8);
      const trace = await hunt.trace(tokens, { decode: 1 });
      const healthy = await model.start(tokens.slice(0, 7)).toEnd();
      await (await healthy.append(tokens.slice(7))).toEnd();
      const outline = (of: typeof trace) =>
        of.entries.map(({ seq, pass, name, step, op, shape, dims, srcDtype }) =>
          [seq, pass, name, step, op, shape, dims, srcDtype].join(),
        );
      expect(outline(trace), drawn.name).toEqual(outline(healthy.trace));
      const said = [hunt, trace, trace.manifest].map((each) => `${inspect(each, { depth: 9, showHidden: true })}`);
      const all = [...said, JSON.stringify(hunt), JSON.stringify(trace.manifest)].join('\n');
      expect(names.filter((name) => all.includes(name))).toEqual([]);
      expect(trace.manifest.transforms).toEqual([]);
    }
  }
});

describe('submitting', () => {
  test('the right fault in the wrong layer loses the layer; a wrong fault in the right layer keeps it', async () => {
    const seed = 1;
    const { hunt, drawn, place } = await opened('easy', seed);
    expect(place).toHaveProperty('layer');
    const other = { ...place, layer: (Number(place.layer) + 1) % 3 };
    expect(await hunt.submit(drawn.name, other)).toMatchObject({ score: 80, isFault: true, isLayer: false });
    const wrong = drawn.name === 'silu-zero' ? 'gelu-for-silu' : 'silu-zero';
    const missed = await hunt.submit(wrong, { layer: Number(place.layer) });
    expect(missed).toMatchObject({ score: 20, isFault: false, isLayer: true });
    expect(`${missed}`).toContain(`It was ${drawn.name} in layer ${place.layer}`);
    expect(`${missed}`).toMatch(/^20 of 100 for .*, after 0 texts\nFault not right, layer right/);
    expect(`${missed}`).toMatch(/Shortest path: one token → \S+, the first tensor that differs, .* → \S+$/);
  });

  test('two texts are free, each more costs two points, down to none for thrift', async () => {
    const { hunt, drawn, place } = await opened('easy', 2);
    const scores: number[] = [];
    for (let texts = 0; texts < 9; texts++) {
      scores.push((await hunt.submit(drawn.name, place)).score);
      await hunt.trace([5, 6]);
    }
    expect(scores).toEqual([100, 100, 100, 98, 96, 94, 92, 90, 90]);
    expect(`${hunt}`).toMatch(/^Bug hunt 2, easy: somewhere in random\.gguf is a fault; 9 texts tried$/);
  });

  test('suspects are what can be submitted, and those that the model cannot have are not among them', async () => {
    const { hunt } = await opened('easy', 0);
    const suspects = hunt.suspects.map(({ name }) => name);
    expect(suspects).toContain('rope-pairing');
    for (const name of ['nibbles-swapped', 'bos-missing']) expect(suspects).not.toContain(name);
    for (const { name, title } of hunt.suspects) expect(faultNamed(name).title).toBe(title);
  });

  test.each([
    ['rope-pairng', {}, 'Cannot make fault "rope-pairng": there is none of that name; nearest are rope-pairing'],
    ['rope-pairing', { layer: 9 }, 'Cannot put fault rope-pairing into layer 9: the model has layers 0 to 2'],
    ['rope-pairing', { head: 9 }, 'Cannot put fault rope-pairing into head 9: the model has heads 0 to 3'],
    ['last-row', { layer: 1 }, 'Cannot make fault last-row: it has no parameter "layer"'],
  ])('%s in %j is refused with what there is', async (name, place, message) => {
    const { hunt } = await opened('easy', 0);
    await expect(hunt.submit(name, place)).rejects.toThrow(UsageError);
    await expect(hunt.submit(name, place)).rejects.toThrow(message);
  });
});

describe('beginning', () => {
  test.each([
    [-1, 'easy', 'Cannot begin a bug hunt: there is no seed -1; wanted a whole number, 0 to 4294967295'],
    [1.5, 'easy', 'there is no seed 1.5'],
    [2 ** 32, 'easy', 'there is no seed 4294967296'],
    [1, 'brutal', 'Cannot begin a bug hunt: there is no level "brutal"; wanted easy or hard'],
  ])('seed %d of level %s is refused', async (seed, level, message) => {
    const begun = bugHunt({ model: await openRandom('reference'), seed, level: level as HuntLevel });
    await expect(begun).rejects.toThrow(UsageError);
    await expect(begun).rejects.toThrow(message);
  });

  test('stopped, it says so, and the model gives the bits that it gave before', async () => {
    const model = await openRandom('reference');
    const hash = async () => (await model.start([5, 6, 7]).toEnd()).trace.entries.at(-1)?.statistics.hash64;
    const before = await hash();
    const begun = bugHunt({ model, seed: 1, signal: AbortSignal.abort() });
    await expect(begun).rejects.toThrow(InterruptedError);
    await bugHunt({ model, seed: 1 });
    expect(await hash()).toBe(before);
  });

  test('a text that is all decoded is refused, for a cache begins with a prompt', async () => {
    const { hunt } = await opened('hard', 0);
    await expect(hunt.trace([5, 6], { decode: 2 })).rejects.toThrow('Cannot decode 2 of 2 tokens');
  });
});

test.skipIf(noAdapter)('an adapter draws what the f64 reference draws', async () => {
  const path = new URL('../../fixtures/lily-4m-f16.gguf', import.meta.url).pathname;
  const models = [await openModel(path, { backend: 'webgpu' }), await openModel(path, { backend: 'reference' })];
  for (const level of ['easy', 'hard'] as const) {
    const drawn = await Promise.all(
      models.map(async (model) => (await (await bugHunt({ model, seed: 16, level })).submit('silu-zero')).drawn),
    );
    expect(drawn[1]).toEqual(drawn[0]);
  }
});

test('the engine steps through what a trace of it holds, and looks healthy while it does', async () => {
  const { model, hunt } = await opened('easy', 3);
  const tokens = probeTokens(model).slice(0, 6);
  const trace = await hunt.trace(tokens);
  const run = await hunt.engine.start(tokens).toEnd();
  expect(hunt.engine.steps).toEqual(model.steps);
  for (const { name, pass, statistics } of trace.entries) {
    const row = run.trace.entries.find((each) => each.name === name && each.pass === pass);
    expect(row?.statistics.hash64, name).toBe(statistics.hash64);
  }
  expect((await compare(run, await model.start(tokens).toEnd())).verdict).toBe('bug');
});
