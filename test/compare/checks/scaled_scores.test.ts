import { expect, test } from 'vitest';
import { backends } from '../../engine/models.ts';
import { checked, failed, noScale, otherParams, resultOf } from './bugs.ts';

test.each(backends)('a missing attention scale is found, and no other check can, on %s', async (backend) => {
  const report = await checked(backend, noScale('kq_soft_max-1'));
  expect(failed(report)).toEqual(['scaled-scores']);
  expect(resultOf(report, 'scaled-scores').worst).toMatchObject({ tensor: 'kq_soft_max-1', pass: 0 });
});

test.each(backends)('so is one by another dimension, on %s', async (backend) => {
  const report = await checked(backend, otherParams(/^kq_soft_max-2/, { scale: 1 / Math.sqrt(64) }));
  expect(failed(report)).toEqual(['scaled-scores']);
  expect(resultOf(report, 'scaled-scores').worst?.tensor).toBe('kq_soft_max-2');
});
