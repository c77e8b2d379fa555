import { expect, test } from 'vitest';
import { backends } from '../../engine/models.ts';
import { checked, failed, otherParams, resultOf } from './bugs.ts';

test.each(backends)('positions that begin at 1 turn the first token, on %s', async (backend) => {
  const report = await checked(backend, otherParams(/_rope-/, { positionOffset: 1 }));
  expect(failed(report)).toEqual(['rope-origin', 'rope-angles']);
  expect(resultOf(report, 'rope-origin').worst).toMatchObject({ tensor: 'Qcur_rope-0', token: 0 });
});
