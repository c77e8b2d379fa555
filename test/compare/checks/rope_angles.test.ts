import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import type { Params } from '../../../src/ops/op.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, inDecode, otherParams, resultOf, TOKENS } from './bugs.ts';

test.each(
  backends.flatMap((backend): [string, Params, typeof backend][] => [
    ['a base of 500,000 for 10,000', { freqBase: 5e5 }, backend],
    ['the exponent without its sign', { freqBase: 1e-4 }, backend],
    ['positions that are scaled', { freqScale: 0.25 }, backend],
  ]),
)('%s is found, and no other check can', async (_, params, backend) => {
  const report = await checked(backend, otherParams(/_rope-/, params));
  expect(failed(report)).toEqual(['rope-angles']);
  expect(resultOf(report, 'rope-angles').worst).toMatchObject({ tensor: 'Qcur_rope-0', pass: 0 });
});

test('a position that is one too far in decode alone is found in its pass', async () => {
  const model = await openRandom('reference');
  const oneOn = async (tensor: Tensor) => model.runStep('Qcur_rope-0', { x: tensor }, { nPast: 1 });
  const moved = edit('{Q,K}cur_rope-1', (tensor, { nPast }) => (nPast > 0 ? oneOn(tensor) : tensor));
  const report = await checkModel(model.with(moved), { tokens: TOKENS });
  expect(failed(report)).toEqual(['rope-angles', 'prefill-decode']);
  expect(resultOf(report, 'rope-angles').worst).toMatchObject({ tensor: 'Qcur_rope-1', pass: 1, token: 5 });
});

test('frequency factors and linear scaling of a file are followed', async () => {
  for (const options of [{ ropeFreqs: true }, { ropeFactor: 4 }]) {
    const report = await checkModel(await openRandom('reference', options), { tokens: TOKENS });
    expect(failed(report)).toEqual([]);
    const lost = await checkModel(
      (await openRandom('reference', options)).with(inDecode('Qcur_rope-0', (tensor) => tensor.scale(-1))),
      { tokens: TOKENS },
    );
    expect(failed(lost)).toContain('rope-angles');
  }
});
