import { expect, test } from 'vitest';
import { f16Accumulation } from '../../../src/engine/transforms/f16_accumulation.ts';
import { nearestHalf } from '../../../src/ops/nearest.ts';
import { backends, openRandom, relativeRmsError } from '../models.ts';

const TOKENS = [1, 40, 77, 105];

test('every product with a weight is taken in halves, and nothing else changes', async () => {
  const model = await openRandom('reference');
  const { steps } = model.with(f16Accumulation());
  expect(steps).toHaveLength(model.steps.length);
  const changed = steps.filter((step, i) => step.op !== model.steps[i]?.op);
  expect(new Set(changed.map(({ op }) => op))).toEqual(new Set(['mul_mat_f16']));
  expect(changed).toHaveLength(3 * 7 + 1);
  expect(steps.map(({ name, inputs }) => ({ name, inputs }))).toEqual(
    model.steps.map(({ name, inputs }) => ({ name, inputs })),
  );
  expect(model.with(f16Accumulation()).manifest([1]).transforms).toEqual([{ name: 'f16Accumulation', params: {} }]);
});

test.each(backends)('on %s the first product is off by about 1e-3 and holds halves', async (backend) => {
  const model = await openRandom(backend);
  const exact = await (await model.start(TOKENS).to('Qcur-0')).tensor('Qcur-0');
  const found = await (await model.with(f16Accumulation()).start(TOKENS).to('Qcur-0')).tensor('Qcur-0');
  expect([...found.data]).toEqual(Array.from(found.data, nearestHalf));
  // Of 64 products; measured 1.4e-3.
  const error = relativeRmsError(found.data, exact.data);
  expect(error).toBeGreaterThan(2e-4);
  expect(error).toBeLessThan(5e-3);
});
