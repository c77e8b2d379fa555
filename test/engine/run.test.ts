import { describe, expect, test } from 'vitest';
import { InterruptedError, StepError, TraceError, UsageError } from '../../src/errors.ts';
import type { TraceRow } from '../../src/trace/trace.ts';
import { backends, openRandom, relativeRmsError } from './models.ts';

const TOKENS = [1, 40, 77, 105, 260, 33, 299];
/** End to end between plans, or prefill and decode; DESIGN.md, "What agreement means". Measured on lavapipe: 3e-7. */
const END_TO_END = 1e-5;

describe.each(backends)('on %s', (backend) => {
  test('nothing is computed until a run is moved, and one step computes one tensor', async () => {
    const run = (await openRandom(backend)).start(TOKENS);
    expect(run.trace.names).toEqual([]);
    expect(run.next?.name).toBe('embd');
    await run.step();
    await run.step();
    expect(run.trace.names).toEqual(['embd', 'attn_norm-0']);
    expect(run.next?.name).toBe('Qcur-0');
  });

  test('to() takes any alias, layer() a number, and neither goes back', async () => {
    const run = (await openRandom(backend)).start(TOKENS);
    expect((await run.to('blocks.0.attn.hook_q')).next?.name).toBe('Kcur-0');
    expect((await run.layer(0)).next?.name).toBe('attn_norm-1');
    expect((await run.to('embd')).next?.name).toBe('attn_norm-1');
    expect((await run.toEnd()).next).toBeNull();
    expect((await run.tensor('hidden_states[3]')).name).toBe('result_norm');
  });

  test('a run in steps gives the bits of a run in one go', async () => {
    const model = await openRandom(backend);
    const whole = await model.start(TOKENS).toEnd();
    const stepped = model.start(TOKENS);
    while (stepped.next) await stepped.step();
    for (const name of whole.trace.names) {
      expect((await stepped.tensor(name)).data, name).toEqual((await whole.tensor(name)).data);
    }
  });

  test('two runs agree in every hash', async () => {
    const model = await openRandom(backend);
    const hashes = async () =>
      (await model.start(TOKENS).toEnd()).trace.entries.map(({ statistics }) => statistics.hash64);
    expect(await hashes()).toEqual(await hashes());
  });

  test('an interrupted run keeps what it has, and resumed gives the bits of one that was not', async () => {
    const model = await openRandom(backend);
    const whole = await model.start(TOKENS).toEnd();
    const stop = new AbortController();
    const run = model.start(TOKENS, {
      signal: stop.signal,
      onProgress: ({ item }) => {
        // The first layer is told of apart; quick ones after it go to the device together.
        if (item === 'l_out-0') stop.abort();
      },
    });
    await expect(run.toEnd()).rejects.toThrow(InterruptedError);
    expect(run.next).not.toBeNull();
    expect((await run.tensor('l_out-0')).data).toEqual((await whole.tensor('l_out-0')).data);
    await run.toEnd();
    for (const name of whole.trace.names) {
      expect((await run.tensor(name)).data, name).toEqual((await whole.tensor(name)).data);
    }
  });

  test('going back computes nothing before the place gone back to', async () => {
    const run = await (await openRandom(backend)).start(TOKENS).toEnd();
    const before = await run.tensor('result_output');
    await run.back('Qcur-1');
    expect(run.next?.name).toBe('Kcur-1');
    expect(run.trace.names.at(-1)).toBe('Qcur-1');
    expect((await run.toEnd().then(() => run.tensor('result_output'))).data).toEqual(before.data);
  });

  test('a replaced tensor changes what comes after it and nothing before', async () => {
    const run = await (await openRandom(backend)).start(TOKENS).toEnd();
    const [norm, logits] = [await run.tensor('attn_norm-2'), await run.tensor('result_output')];
    const out = await run.tensor('ffn_out-1');
    await run.replace('ffn_out-1', out.scale(0));
    expect((await run.tensor('ffn_out-1')).norm()).toBe(0);
    expect(run.trace.entries.at(-1)?.statistics.zeroCount).toBe(out.size);
    await run.toEnd();
    expect((await run.tensor('l_out-1')).data).toEqual((await run.tensor('ffn_inp-1')).data);
    expect(relativeRmsError((await run.tensor('attn_norm-2')).data, norm.data)).toBeGreaterThan(0.01);
    expect(relativeRmsError((await run.tensor('result_output')).data, logits.data)).toBeGreaterThan(0.01);
  });

  test('replacing a rotated key changes what a later pass reads from the cache', async () => {
    const model = await openRandom(backend);
    const logits = async (change: boolean) => {
      const run = await model.start(TOKENS).toEnd();
      if (change) await run.replace('Kcur_rope-0', (await run.tensor('Kcur_rope-0')).scale(-1));
      await run.generate(1);
      await run.toEnd();
      return (await run.tensor('kq-0', { pass: 1 })).data;
    };
    const [kept, changed] = [await logits(false), await logits(true)];
    expect(relativeRmsError(changed, kept)).toBeGreaterThan(0.1);
  });

  test('prefill of n + 1 tokens equals prefill of n and a decode, for every tensor', async () => {
    const model = await openRandom(backend);
    const all = await model.start(TOKENS).toEnd();
    const first = model.start(TOKENS.slice(0, -1));
    await first.toEnd();
    await first.append(TOKENS.slice(-1));
    await first.toEnd();
    for (const { name, dims } of model.steps) {
      const [whole, last] = [await all.tensor(name), await first.tensor(name, { pass: 1 })];
      const axis = dims.indexOf('token');
      const rows = axis === 0 ? whole.slice(-1) : whole.slice(null, -1);
      expect(relativeRmsError(last.data, rows.data), name).toBeLessThanOrEqual(END_TO_END);
    }
  });

  test('generate is greedy by default, keeps the drawn tokens, and going back forgets later ones', async () => {
    const run = (await openRandom(backend)).start(TOKENS);
    await run.generate(4, { stopAtEnd: false });
    expect(run.tokens.slice(0, TOKENS.length)).toEqual(TOKENS);
    expect(run.sampled.map(({ position }) => position)).toEqual([7, 8, 9, 10]);
    const first = await run.tensor('result_output', { pass: 0 });
    expect(run.tokens[7]).toBe(first.slice(-1).topK(1)[0]?.index);
    const drawn = [...run.tokens];
    await run.back('l_out-2', { pass: 1 });
    expect(run.tokens).toEqual(drawn.slice(0, 8));
    await run.generate(3, { stopAtEnd: false });
    expect(run.tokens).toEqual(drawn);
  });

  test('tokens drawn one by one are those drawn at once, and again after going back', async () => {
    const model = await openRandom(backend);
    const options = { temperature: 1.5, seed: 4, stopAtEnd: false };
    const atOnce = await model.start(TOKENS).generate(5, options);
    const oneByOne = model.start(TOKENS);
    for (let i = 0; i < 5; i++) await oneByOne.generate(1, options);
    expect(oneByOne.tokens).toEqual(atOnce.tokens);
    await oneByOne.back('l_out-2', { pass: 1 });
    await oneByOne.generate(4, options);
    expect(oneByOne.tokens).toEqual(atOnce.tokens);
  });

  test('select keeps values by glob, statistics stay for all, and a tensor not kept names the cure', async () => {
    const run = await (await openRandom(backend)).start(TOKENS, { select: 'blocks.*.hook_resid_post' }).generate(2);
    const kept = run.trace.entries.filter(({ pass, hasValues }) => pass === 0 && hasValues).map(({ name }) => name);
    expect(kept).toEqual(['l_out-0', 'l_out-1', 'l_out-2']);
    expect(new Set(run.trace.names).size).toBe(run.steps.length);
    await expect(run.tensor('Qcur-0', { pass: 0 })).rejects.toThrow(TraceError);
    await expect(run.tensor('Qcur-0', { pass: 0 })).rejects.toThrow(/only its statistics were kept.*select: 'Qcur-0'/);
  });

  test('beyond the budget the oldest values go, and how many is said', async () => {
    const run = (await openRandom(backend)).start(TOKENS, { budget: 40_000 });
    await run.generate(6, { stopAtEnd: false });
    expect(run.trace.end.dropped).toBeGreaterThan(0);
    expect(run.trace.entries[0]?.hasValues).toBe(false);
    expect((await run.tensor('result_output')).shape).toEqual([1, 300]);
  });

  test('without statistics a run has rows of what select keeps, and of nothing else', async () => {
    const run = await (await openRandom(backend)).start(TOKENS, { statistics: false, select: 'l_out-*' }).toEnd();
    expect(run.trace.names).toEqual(['l_out-0', 'l_out-1', 'l_out-2']);
    expect((await run.tensor('l_out-1')).shape).toEqual([7, 64]);
  });

  test('every alias of a tensor reads it and selects it', async () => {
    const model = await openRandom(backend);
    const run = await model.start(TOKENS, { select: 'hidden_states[0],blocks.1.hook_resid_pre,model.norm' }).toEnd();
    const kept = run.trace.entries.filter(({ hasValues }) => hasValues).map(({ name }) => name);
    expect(kept).toEqual(expect.arrayContaining(['embd', 'l_out-0', 'result_norm']));
    const names = ['hidden_states[0]', 'blocks.0.hook_resid_pre', 'blocks.1.hook_resid_pre', 'model.norm'];
    const found = await Promise.all(names.map((name) => run.tensor(name)));
    expect(found.map(({ name }) => name)).toEqual(['embd', 'embd', 'l_out-0', 'result_norm']);
    expect(run.trace.select('hidden_states[0]').map(({ name }) => name)).toEqual(['embd']);
  });

  test("a name has one value per pass, and 'all' gives them in order", async () => {
    const run = await (await openRandom(backend)).start(TOKENS).generate(3, { stopAtEnd: false });
    const all = await run.tensor('l_out-0', { pass: 'all' });
    expect(all.map(({ shape }) => shape)).toEqual([
      [7, 64],
      [1, 64],
      [1, 64],
    ]);
  });

  test('a row is sent to a sink once; a run with one goes back no further than to its last row', async () => {
    const sent: string[] = [];
    const sink = { append: async ({ name }: TraceRow) => void sent.push(name) };
    const run = await (await openRandom(backend)).start(TOKENS, { sink }).to('ffn_out-1');
    await expect(run.back('ffn_norm-1')).rejects.toThrow(/Cannot change ffn_gate-1 .* was written already/);
    await expect(run.replace('ffn_out-1', await run.tensor('ffn_out-1'))).rejects.toThrow(/was written already/);
    await (await run.back('ffn_out-1')).toEnd();
    expect(sent).toEqual(run.steps.map(({ name }) => name));
  });

  test('a closed run refuses every move and look, and closing waits for a move under way', async () => {
    const run = (await openRandom(backend)).start(TOKENS);
    const move = run.toEnd();
    run.close();
    run.close();
    expect((await move).next).toBeNull();
    for (const use of [run.step(), run.back('embd'), run.generate(1), run.append([3]), run.tensor('embd')]) {
      await expect(use).rejects.toThrow(/the run was closed; start another/);
    }
  });

  test('generate fills the context and no more', async () => {
    const run = (await openRandom(backend, { nCtx: 9 })).start(TOKENS);
    await run.generate(5, { stopAtEnd: false });
    expect(run.tokens).toHaveLength(9);
    await expect(run.generate(1)).rejects.toThrow(/fills the model's context of 9 tokens/);
    expect((await run.toEnd()).next).toBeNull();
  });

  test('a move that was not awaited ends before the next begins', async () => {
    const run = (await openRandom(backend)).start(TOKENS);
    const moves = [run.step(), run.step(), run.layer(1)];
    await Promise.all(moves);
    expect(run.next?.name).toBe('attn_norm-2');
    expect(run.trace.names.length).toBe(1 + 2 * 18);
  });

  test('wrong calls say what is wrong and what to do', async () => {
    const model = await openRandom(backend);
    expect(() => model.start([])).toThrow(UsageError);
    expect(() => model.start([300])).toThrow(/300 is not a token id; ids go from 0 to 299/);
    expect(() => model.start([1.5])).toThrow(UsageError);
    expect(() => model.start(Array<number>(129).fill(5))).toThrow(/129 tokens long; the model's context is 128/);
    const run = model.start(TOKENS);
    expect(() => run.generate(Number.NaN)).toThrow(UsageError);
    expect(() => model.start(TOKENS, { select: 'l_out-7' })).toThrow(/Cannot select "l_out-7": .* nearest are l_out-0/);
    expect(() => model.start(TOKENS, { budget: Number.NaN })).toThrow(/budget NaN/);
    expect(() => run.layer(3)).toThrow(/layers 0 to 2/);
    expect(() => run.to('Qcur-7')).toThrow(StepError);
    await expect(run.back('embd')).rejects.toThrow(/was not computed yet/);
    await expect(run.replace('embd', [1])).rejects.toThrow(/run to it first/);
    await run.toEnd();
    await expect(run.step()).rejects.toThrow(/generate\(\) another, or go back/);
    await expect(run.replace('embd', [1, 2])).rejects.toThrow(/2 numbers; its shape is \[7, 64\], 448 numbers/);
  });
});
