import { describe, expect, test } from 'vitest';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { f16Storage } from '../../../src/engine/transforms/f16_storage.ts';
import { lens } from '../../../src/engine/transforms/lens.ts';
import { nearestHalf } from '../../../src/ops/nearest.ts';
import { backends, openRandom } from '../models.ts';

const TOKENS = [1, 40, 77, 105];

describe.each(backends)('f16 storage on %s', (backend) => {
  test('each tensor is its unrounded one as halves, and the next step reads the halves', async () => {
    const model = (await openRandom(backend)).with(f16Storage());
    const run = await model.start(TOKENS).toEnd();
    for (const name of ['embd', 'Qcur-1', 'kq_soft_max-1', 'l_out-2', 'result_output']) {
      const stored = await run.tensor(name);
      const before = await run.tensor(name.replace(/(-\d+)?$/, '_unrounded$1'));
      expect([...stored.data], name).toEqual(Array.from(before.data, nearestHalf));
      expect([...stored.data], name).not.toEqual([...before.data]);
      expect(stored.dims).toEqual(before.dims);
    }
    const alone = await model.runStep('l_out_unrounded-1', {
      a: await run.tensor('ffn_out-1'),
      b: await run.tensor('ffn_inp-1'),
    });
    expect([...alone.data]).toEqual([...(await run.tensor('l_out_unrounded-1')).data]);
  });

  test('the KV cache holds halves: a decode reads the keys as they were stored', async () => {
    const model = (await openRandom(backend)).with(f16Storage());
    const run = await model.start(TOKENS).generate(1, { stopAtEnd: false });
    await run.toEnd();
    const keys = await run.tensor('Kcur_rope-0', { pass: 'all' });
    const query = await run.tensor('Qcur_rope-0');
    const scores = await run.tensor('kq_unrounded-0');
    const key = keys[0]!.slice(2).slice(0); // token 2, KV head 0
    expect(scores.at(0, 0, 2)).toBeCloseTo(query.slice(0).slice(0).dot(key), 5);
    expect([...key.data]).toEqual(Array.from(key.data, nearestHalf));
  });
});

test('caches are written, and edits made, where the name stayed', async () => {
  const { steps } = (await openRandom('reference')).with(
    edit('Vcur-0', ({ data }) => data),
    f16Storage(),
  );
  const [unrounded, stored] = ['Vcur_unrounded-0', 'Vcur-0'].map((name) => steps.find((step) => step.name === name));
  expect(unrounded).not.toHaveProperty('writes');
  expect(unrounded).not.toHaveProperty('edit');
  expect(stored).toMatchObject({ op: 'round_f16', writes: 'cache_v-0', layer: 0, edit: expect.any(Function) });
});

test('ids that a lens names stay whole', async () => {
  const model = (await openRandom('reference', { nVocab: 5000 })).with(lens({ layers: [0], k: 40 }), f16Storage());
  expect(model.steps.map(({ name }) => name)).not.toContain('lens_ids_unrounded-0');
  const run = await model.start(TOKENS).toEnd();
  expect((await run.tensor('lens_ids-0')).data.some((id) => id > 2048 && id % 2 === 1)).toBe(true);
});

test('the manifest tells it', async () => {
  const model = (await openRandom('reference')).with(f16Storage());
  expect(model.manifest([1]).transforms).toEqual([{ name: 'f16Storage', params: {} }]);
});
