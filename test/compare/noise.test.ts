import { describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { eliminate } from '../../src/compare/eliminator.ts';
import { type Fault, fault, faults } from '../../src/engine/faults/index.ts';
import { siteOf } from '../../src/engine/faults/put.ts';
import type { Model } from '../../src/engine/model.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { openModel } from '../../src/node/index.ts';
import type { Trace } from '../../src/trace/trace.ts';
import { openRandom, relativeRmsError } from '../engine/models.ts';
import { seeded } from '../seeded.ts';
import { changedTrace } from './changed_trace.ts';
import { foreignDump, passesRun } from './foreign_dump.ts';

/** A prefill of seven and a decode of one, no BOS. */
const TOKENS = [40, 77, 105, 9, 200, 31, 77, 150];
const ENDS = [7, 8];
const NOISE = 1e-3;

const model = await openRandom('reference');
const healthy = await passesRun(model, TOKENS, ENDS);

describe('a healthy dump with noise of its own', () => {
  test.each([1, 2, 3, 4, 5, 6])('of 1e-3 is noise and no bug, and its size is told: seed %i', async (seed) => {
    const dump = await foreignDump(model, healthy, { noise: NOISE, seed });
    const { verdict, summary, firstDivergence, cause, claims } = await compare(dump, healthy, { model });
    expect(verdict, summary).toBe('noise');
    expect(firstDivergence).toBeNull();
    expect(cause).toBeNull();
    // An op has its own noise and that of its inputs.
    const size = Number(/^a stranger is off by (\S+) in every op alike/.exec(summary)?.[1]);
    expect(size).toBeGreaterThan(NOISE);
    expect(size).toBeLessThan(2 * NOISE);
    expect(claims.map(({ supports }) => supports).join()).toContain('by no more than that would not show');
  });

  test('rules out the faults that would have stood out of it', async () => {
    const comparison = await compare(await foreignDump(model, healthy, { noise: NOISE }), healthy, { model });
    const out = eliminate(comparison).ruledOut.map(({ fault }) => fault);
    for (const name of ['rope-pairing', 'gqa-tiled', 'gelu-for-silu', 'kv-cache-off-by-one'])
      expect(out).toContain(name);
    expect(out).not.toContain('norm-eps');
  });

  test.each([2e-5, 1e-4, 1e-2])('of %f is noise too', async (noise) => {
    const dump = await foreignDump(model, healthy, { noise });
    expect((await compare(dump, healthy, { model })).verdict).toBe('noise');
  });

  test('is noise where it is the reference, and where both sides are such', async () => {
    const [one, other] = [
      await foreignDump(model, healthy, { noise: NOISE, seed: 1 }),
      await foreignDump(model, healthy, { noise: NOISE, seed: 2 }),
    ];
    expect((await compare(healthy, one, { model })).verdict).toBe('noise');
    expect((await compare(one, other, { model })).verdict).toBe('noise');
  });

  test('of the shipped model, whose scores are sharp, is noise', async () => {
    const lily = await openModel('fixtures/lily-4m-f16.gguf', { backend: 'reference' });
    const trace = await passesRun(lily, TOKENS, ENDS);
    const dump = await foreignDump(lily, trace, { noise: NOISE, seed: 2 });
    const { verdict, summary } = await compare(dump, trace, { model: lily, f64: false });
    expect(verdict, summary).toBe('noise');
    await lily.close();
  });
});

/** What some faults need; the others go into any model. */
const RANDOM: Readonly<Record<string, Parameters<typeof openRandom>[1]>> = {
  'tied-embedding-ignored': { tied: true },
  'nibbles-swapped': { type: 'Q4_0' },
};

/** What they change in a random model is no more than the noise (rope-scaling-ignored: 9.5e-4 of Qcur_rope-0), or is rounding. */
const BELOW: ReadonlySet<string> = new Set([
  'norm-eps',
  'f16-accumulation',
  'softmax-without-max',
  'rope-scaling-ignored',
]);

async function healthyFor({ name }: Fault): Promise<{ readonly own: Model; readonly trace: Trace }> {
  const own = name in RANDOM ? await openRandom('reference', RANDOM[name]) : model;
  return { own, trace: own === model ? healthy : await passesRun(own, TOKENS, ENDS) };
}

describe('a fault in a dump with noise of 1e-3', () => {
  const inSteps = faults.filter(({ name, changes }) => changes && !BELOW.has(name));

  test.each(inSteps)('$name is a bug, and its first tensor is found', async (found) => {
    const { own, trace } = await healthyFor(found);
    const faulty = await passesRun(own.with(fault(found.name)), TOKENS, ENDS);
    const dump = await foreignDump(own, faulty, { noise: NOISE });
    const { verdict, summary, firstDivergence } = await compare(dump, trace, { model: own, cause: false });
    expect(verdict, summary).toBe('bug');
    const site = siteOf(found.name, fault(found.name).params, own.config, () => undefined);
    const shown = found.shows.prefill === 'no effect' ? 'decode' : 'prefill';
    expect(firstDivergence).toMatchObject({
      name: found.firstTensor(site, shown),
      pass: shown === 'decode' ? 1 : 0,
      isolation: { outcome: 'made', madeBy: 'ours' },
    });
  });

  test('of one head and one token is found there, and its cause is named', async () => {
    const faulty = await passesRun(model.with(fault('rope-pairing', { layer: 1, head: 2 })), TOKENS, ENDS);
    const dump = await foreignDump(model, faulty, { noise: NOISE });
    const { verdict, firstDivergence, cause, tensors } = await compare(dump, healthy, { model });
    expect(verdict).toBe('bug');
    expect(firstDivergence).toMatchObject({ name: 'Qcur_rope-1', head: 2 });
    const prefill = tensors.filter(({ pass }) => pass === 0);
    const outcomes = Object.fromEntries(prefill.map(({ name, isolation }) => [name, isolation?.outcome]));
    expect(outcomes).toMatchObject({ 'l_out-0': 'noise', 'l_out-1': 'inherited', result_output: 'inherited' });
    expect(cause).toMatchObject({ fault: 'rope-pairing', params: { layer: 1, head: 2 }, certainty: 'named' });
  });

  test('of a single token or element, in any tensor, is found where it is twenty noises large, or a hundred', async () => {
    const random = seeded(9);
    const rows = healthy.entries.filter(({ pass }) => pass === 0);
    for (let i = 0; i < 40; i++) {
      const row = rows[Math.floor(random() * rows.length)];
      if (!row) continue;
      const token = Math.floor(random() * 7);
      const isElement = i % 2 === 0;
      const broken = await changedTrace(healthy, ({ name, pass, dims, shape, statistics }, values) => {
        if (name !== row.name || pass !== row.pass) return null;
        const axis = dims.indexOf('token');
        const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        const isAt = (at: number) => Math.floor(at / inner) % (shape[axis] as number) === token;
        const first = values.findIndex((_, at) => isAt(at));
        const off = (isElement ? 100 : 20) * NOISE * statistics.rms;
        return values.map((x, at) => ((isElement ? at === first : isAt(at)) && x !== 0 ? x + off : x));
      });
      const dump = await foreignDump(model, broken, { noise: NOISE, seed: i });
      const { verdict, firstDivergence } = await compare(dump, healthy, { model, cause: false });
      const said = `${row.name}, ${isElement ? 'an element of ' : ''}token ${token}`;
      expect(verdict, said).toBe('bug');
      expect(firstDivergence, said).toMatchObject({ name: row.name, token });
    }
  });
});

const isProduct = (name: string) =>
  /^([QKV]cur|kq|kqv_out|attn_out|ffn_(gate|up|out)|result_output)(-\d+)?$/.test(name);

describe('a dump of an engine that rounds the factors of its products alone', () => {
  /** As TF32 does: 10 bits after the point. The other ops are computed of what the products gave, and exact. */
  async function dumpOf(engine: Model): Promise<Trace> {
    const random = seeded(4);
    const coarse = edit('*', (tensor) => {
      if (!isProduct(tensor.name)) return tensor;
      return tensor.map((x) => x + NOISE * Math.sqrt(3) * (2 * random() - 1) * x);
    });
    return foreignDump(model, await passesRun(engine.with(coarse), TOKENS, ENDS));
  }

  test('is noise of the products', async () => {
    const { verdict, summary } = await compare(await dumpOf(model), healthy, { model });
    expect(verdict, summary).toBe('noise');
    expect(summary).toContain('in every product of matrices alike');
  });

  test.each(['rope-pairing', 'gqa-tiled', 'k-rows-permuted', 'gelu-for-silu', 'residual-missing', 'tied-by-mistake'])(
    'with %s is a bug, whose cause is named',
    async (name) => {
      const { verdict, firstDivergence, cause } = await compare(await dumpOf(model.with(fault(name))), healthy, {
        model,
      });
      expect(verdict).toBe('bug');
      expect(cause, cause?.sentence).toMatchObject({
        fault: name,
        certainty: 'named',
        at: { name: firstDivergence?.name },
      });
    },
  );
});

describe('what is no even noise is a bug', () => {
  test('every product off by one factor, as a wrong scale of the weights gives', async () => {
    const scaled = model.with(edit('*', (tensor) => (isProduct(tensor.name) ? tensor.scale(1.004) : tensor)));
    const dump = await foreignDump(model, await passesRun(scaled, TOKENS, ENDS));
    const { verdict, firstDivergence } = await compare(dump, healthy, { model, cause: false });
    expect([verdict, firstDivergence?.name]).toEqual(['bug', 'Qcur-0']);
  });

  test('noise in a few tensors of an exact dump', async () => {
    const noisy = await foreignDump(model, healthy, { noise: NOISE });
    for (const name of ['Kcur-1', 'l_out-0']) {
      const { data } = await noisy.tensor(name, { pass: 0 });
      const dump = await changedTrace(healthy, (row) => (row.name === name && row.pass === 0 ? data : null));
      const { verdict, firstDivergence } = await compare(dump, healthy, { model, cause: false });
      expect([verdict, firstDivergence?.name]).toEqual(['bug', name]);
    }
  });

  test('every op off by more than any rounding is known to cost one', async () => {
    const dump = await foreignDump(model, healthy, { noise: 0.1 });
    expect((await compare(dump, healthy, { model, cause: false })).verdict).toBe('bug');
  });

  test('every op off by one factor', async () => {
    const dump = await changedTrace(healthy, (_, values) => values.map((x) => 1.004 * x));
    const { verdict, summary } = await compare(dump, healthy, { model, cause: false });
    expect(verdict, summary).toBe('bug');
  });
});

test("one side's rounding does not hide a fault of the other in the same op", async () => {
  const q4 = await openRandom('reference', { type: 'Q4_0' });
  const rounded = await passesRun(q4, TOKENS, ENDS);
  const reference = await foreignDump(q4, rounded, { type: 'f16' });
  const faulty = await passesRun(q4.with(fault('k-rows-permuted')), TOKENS, ENDS);
  const { verdict, firstDivergence } = await compare(faulty, reference, { model: q4, cause: false });
  expect([verdict, firstDivergence?.name]).toEqual(['bug', 'Kcur-0']);
  expect(relativeRmsError((await faulty.tensor('Kcur-0')).data, (await rounded.tensor('Kcur-0')).data)).toBeGreaterThan(
    0.1,
  );
});
