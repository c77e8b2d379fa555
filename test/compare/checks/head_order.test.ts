import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, resultOf, scaled, TOKENS } from './bugs.ts';

const lastHeadLost = scaled('kqv_out-2', 0, (_, head) => head === 3);

test.each(backends)('a head that is left out is found, on %s', async (backend) => {
  const report = await checked(backend, lastHeadLost);
  expect(failed(report)).toEqual(['first-token', 'head-order']);
  expect(resultOf(report, 'head-order').worst).toMatchObject({ tensor: 'kqv_out-2' });
});

test.each([1, 2, 4])('with %i KV heads a healthy model passes and one that loses a head does not', async (nHeadKv) => {
  const model = await openRandom('reference', { nHeadKv });
  expect(resultOf(await checkModel(model, { tokens: TOKENS }), 'head-order').outcome).toBe('passed');
  expect(resultOf(await checkModel(model.with(lastHeadLost), { tokens: TOKENS }), 'head-order').outcome).toBe('failed');
});

test('a model of one head has none to change places', async () => {
  const report = await checkModel(await openRandom('reference', { nHead: 1, nHeadKv: 1 }), { tokens: TOKENS });
  expect(resultOf(report, 'head-order')).toMatchObject({ outcome: 'could not', says: 'the model has one head' });
});
