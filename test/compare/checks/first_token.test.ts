import { expect, test } from 'vitest';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { backends } from '../../engine/models.ts';
import { checked, failed, resultOf, scaled } from './bugs.ts';

/** Head h reads the V of KV head h % 2, as a tiled cache has it, in place of floor(h / 2). */
const tiled = edit('kqv_out-*', (tensor) => tensor.map((_, token, head, dim) => tensor.at(token, (head % 2) * 2, dim)));

test.each(backends)('query groups that are tiled read another head, on %s', async (backend) => {
  const report = await checked(backend, tiled);
  expect(failed(report)).toEqual(['first-token', 'head-order']);
  expect(resultOf(report, 'first-token').worst).toMatchObject({ tensor: 'kqv_out-0', token: 0, head: 1 });
});

test.each(backends)('an output matrix that gives something else is found, on %s', async (backend) => {
  const report = await checked(backend, scaled('attn_out-2', 1.001));
  expect(failed(report)).toEqual(['products', 'first-token']);
  expect(resultOf(report, 'first-token').worst).toMatchObject({ tensor: 'attn_out-2', token: 0 });
});
