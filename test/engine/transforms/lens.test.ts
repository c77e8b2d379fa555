import { describe, expect, test } from 'vitest';
import { lens } from '../../../src/engine/transforms/lens.ts';
import { StepError } from '../../../src/errors.ts';
import { backends, openRandom } from '../models.ts';

const TOKENS = [1, 40, 77, 105];

describe.each(backends)('the logit lens on %s', (backend) => {
  test('after the last layer it names what the model itself would say', async () => {
    const model = (await openRandom(backend)).with(lens({ k: 3 }));
    const run = await model.start(TOKENS).toEnd();
    const [logits, ids, values] = [
      await run.tensor('result_output'),
      await run.tensor('lens_ids-2'),
      await run.tensor('lens_values-2'),
    ];
    for (const t of TOKENS.keys()) {
      const best = logits.slice(t).topK(3);
      expect(Array.from(ids.slice(t).data)).toEqual(best.map(({ index }) => index));
      for (const [rank, { value }] of best.entries()) expect(values.at(t, rank)).toBeCloseTo(value, 4);
    }
  });

  test('probabilities and entropy are those of the softmax of its logits', async () => {
    const run = await (await openRandom(backend))
      .with(lens({ layers: [1], k: 2 }))
      .start(TOKENS)
      .toEnd();
    const p = (await run.tensor('lens_logits-1')).softmax();
    const [ids, found, entropy] = [
      await run.tensor('lens_ids-1'),
      await run.tensor('lens_probabilities-1'),
      await run.tensor('lens_entropy-1'),
    ];
    for (const t of TOKENS.keys()) {
      expect(found.at(t, 0)).toBeCloseTo(p.at(t, ids.at(t, 0)), 6);
      const wanted = -p.slice(t).data.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);
      expect(entropy.at(t, 0)).toBeCloseTo(wanted, 5);
    }
  });

  test('without the final norm it reads the residual stream as it is', async () => {
    const model = await openRandom(backend);
    const run = await model
      .with(lens({ layers: [0], norm: false }))
      .start(TOKENS)
      .toEnd();
    const weight = await model.weight('output.weight');
    const residual = await run.tensor('l_out-0');
    const logits = await run.tensor('lens_logits-0');
    expect(logits.at(3, 17)).toBeCloseTo(residual.slice(3).dot(weight.slice(17)), 4);
    expect(run.trace.names).not.toContain('lens_norm-0');
  });

  test('it observes: no other tensor changes by a bit', async () => {
    const model = await openRandom(backend);
    const [plain, seen] = [await model.start(TOKENS).toEnd(), await model.with(lens()).start(TOKENS).toEnd()];
    const hash = (run: typeof plain, name: string) =>
      run.trace.entries.find((row) => row.name === name)?.statistics.hash64;
    for (const name of plain.trace.names) expect(hash(seen, name), name).toBe(hash(plain, name));
  });
});

test('a model with transforms knows the sha256 that the plain one computed', async () => {
  const model = await openRandom('reference');
  const sha256 = await model.sha256();
  expect(model.with(lens()).manifest([1]).model).toBe(sha256);
});

test('the manifest lists transforms, so runs with and without one are told apart', async () => {
  const run = (await openRandom('reference')).with(lens({ layers: [0], k: 4 })).start(TOKENS);
  expect(run.trace.manifest.transforms).toEqual([{ name: 'lens', params: { layers: [0], k: 4, norm: true } }]);
});

test('a lens after a layer that is not there, or with k of 0, is refused', async () => {
  const model = await openRandom('reference');
  expect(() => model.with(lens({ layers: [3] }))).toThrow(StepError);
  expect(() => model.with(lens({ layers: [3] }))).toThrow(/layers 0 to 2/);
  expect(() => model.with(lens({ k: 0 }))).toThrow(/k = 0/);
});
