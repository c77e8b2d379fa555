import { describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { fault } from '../../src/engine/faults/index.ts';
import type { Model } from '../../src/engine/model.ts';
import { f16Accumulation } from '../../src/engine/transforms/f16_accumulation.ts';
import { f16Storage } from '../../src/engine/transforms/f16_storage.ts';
import { openModel } from '../../src/node/index.ts';
import { openRandom } from '../engine/models.ts';
import { foreignDump, passesRun, sumsOf } from './foreign_dump.ts';

const TOKENS = [40, 77, 105, 9, 200, 31, 77, 150];
const ENDS = [7, 8];

const model = await openRandom('reference');
const healthy = await passesRun(model, TOKENS, ENDS);

/** As a stranger would have written it: nothing tells how the engine rounds. */
async function tableOf(engine: Model, of = model) {
  return sumsOf(await foreignDump(of, await passesRun(engine, TOKENS, ENDS)));
}

describe('a table of sums of an engine that rounds to f16', () => {
  test.each([
    ['outputs stored as f16', f16Storage()],
    ['sums of products kept in f16', f16Accumulation()],
  ])('is precision, by name, and no bug: %s', async (name, rounding) => {
    const table = await tableOf(model.with(rounding));
    for (const reference of [healthy, await tableOf(model)]) {
      const { verdict, summary, firstDivergence } = await compare(table, reference, { model });
      expect(verdict, summary).toBe('precision');
      expect(summary).toContain(name);
      expect(firstDivergence).toBeNull();
    }
    expect((await compare(healthy, table, { model })).verdict).toBe('precision');
  });

  test('is so of the shipped model', async () => {
    const lily = await openModel('fixtures/lily-4m-f16.gguf', { backend: 'reference' });
    const table = await tableOf(lily.with(f16Storage()), lily);
    const { verdict, summary } = await compare(table, await passesRun(lily, TOKENS, ENDS), { model: lily, f64: false });
    expect(verdict, summary).toBe('precision');
    await lily.close();
  });

  test.each(['silu-zero', 'gqa-tiled', 'rope-pairing', 'residual-doubled', 'tied-by-mistake', 'output-norm-missing'])(
    'is a bug where it has %s too',
    async (name) => {
      const table = await tableOf(model.with(fault(name), f16Storage()));
      expect((await compare(table, healthy, { model, cause: false })).verdict).toBe('bug');
    },
  );

  test('is a bug where no model says what rounding would give', async () => {
    const table = await tableOf(model.with(f16Storage()));
    expect((await compare(table, await tableOf(model))).verdict).toBe('bug');
  });
});

test('a healthy run against the table of a broken engine is a bug, though each op of ours gives what ours recorded', async () => {
  const { verdict, firstDivergence } = await compare(healthy, await tableOf(model.with(fault('silu-zero'))), { model });
  expect([verdict, firstDivergence?.name]).toEqual(['bug', 'ffn_silu-0']);
});

test('a rounding of one side does not hide a fault of the other', async () => {
  const [table, faulty] = [await tableOf(model.with(f16Storage())), await tableOf(model.with(fault('gqa-tiled')))];
  expect((await compare(faulty, table, { model, cause: false })).verdict).toBe('bug');
});
