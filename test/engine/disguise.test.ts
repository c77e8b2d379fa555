import { describe, expect, test } from 'vitest';
import { fault } from '../../src/engine/faults/index.ts';
import type { Run } from '../../src/engine/run.ts';
import { backends, openRandom } from './models.ts';

const TOKENS = [3, 141, 59, 26];
/** One that changes an op, one that adds steps, one in a single head, one of the cache, one of what is written. */
const FAULTS = [
  ['silu-zero', { layer: 1 }],
  ['rope-on-v', { layer: 1 }],
  ['rope-pairing', { layer: 1, head: 2 }],
  ['kv-cache-wrong-layer', {}],
  ['stale-buffer', { layer: 1 }],
  ['layers-swapped', {}],
] as const;

const bits = (run: Run) => new Map(run.trace.entries.map((row) => [`${row.pass} ${row.name}`, row.statistics.hash64]));

describe.each(backends)('on %s', (backend) => {
  test.each(FAULTS)('a disguised %s computes every bit of it and looks healthy', async (name, params) => {
    const model = await openRandom(backend);
    const broken = model.with(fault(name, params));
    const seen = broken.seenAs(model);
    expect(seen.steps).toEqual(model.steps);
    const [plain, hidden] = [broken.start(TOKENS), seen.start(TOKENS)];
    await plain.generate(2, { stopAtEnd: false });
    await hidden.generate(2, { stopAtEnd: false });
    expect(hidden.tokens).toEqual(plain.tokens);
    const theirs = bits(plain);
    expect(bits(hidden)).toEqual(new Map([...bits(hidden).keys()].map((key) => [key, theirs.get(key)])));
    expect(hidden.trace.names).toEqual(model.steps.map((step) => step.name));
    expect(hidden.trace.manifest.transforms).toEqual([]);
    await model.close();
  });
});

test('a disguised run is stepped, taken back and edited as the one behind it', async () => {
  const model = await openRandom('reference');
  const broken = model.with(fault('rope-pairing', { layer: 0, head: 1 }));
  const hidden = broken.seenAs(model).start(TOKENS);
  for (const { name } of model.steps.slice(0, 8)) {
    await hidden.step();
    expect(hidden.trace.entries.at(-1)?.name).toBe(name);
  }
  await hidden.toEnd();
  const whole = bits(hidden);
  await hidden.back('Qcur-0');
  expect(hidden.next?.name).not.toMatch(/~/);
  await hidden.toEnd();
  expect(bits(hidden)).toEqual(whole);

  const plain = await broken.start(TOKENS).toEnd();
  const zero = (await plain.tensor('Kcur_rope-0')).scale(0);
  await (await plain.replace('Kcur_rope-0', zero)).toEnd();
  await (await hidden.replace('Kcur_rope-0', zero)).toEnd();
  expect((await hidden.tensor('result_output')).data).toEqual((await plain.tensor('result_output')).data);
});

test('a single step of it, run alone, is a healthy one; so are its run in f64 and the untransformed model', async () => {
  const model = await openRandom('reference');
  const seen = model.with(fault('silu-zero')).seenAs(model);
  const healthy = await model.start(TOKENS).toEnd();
  const exact = await (await seen.on('reference')).start(TOKENS).toEnd();
  expect(bits(exact)).toEqual(bits(healthy));
  expect(bits(await seen.untransformed.start(TOKENS).toEnd())).toEqual(bits(healthy));
  const x = await healthy.tensor('ffn_gate-0');
  expect((await seen.runStep('ffn_silu-0', { x })).data).toEqual((await model.runStep('ffn_silu-0', { x })).data);
});

test('a fault of the weights cannot be put on top of the hidden one', async () => {
  const model = await openRandom('reference');
  const seen = model.with(fault('silu-zero')).seenAs(model);
  expect(() => seen.with(fault('k-rows-permuted'))).toThrow(/^Cannot put this fault into the engine of a hunt: /);
});
