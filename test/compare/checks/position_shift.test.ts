import { expect, test } from 'vitest';
import { checkModel } from '../../../src/compare/checks/check_model.ts';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { RowTrace } from '../../../src/trace/trace.ts';
import { backends, openRandom } from '../../engine/models.ts';
import { checked, failed, otherParams, resultOf, TOKENS } from './bugs.ts';

test.each(backends)('keys that are not turned make scores depend on the position, on %s', async (backend) => {
  const report = await checked(backend, otherParams(/^Kcur_rope-1/, { freqScale: 0 }));
  expect(failed(report)).toEqual(['rope-angles', 'position-shift']);
  expect(resultOf(report, 'position-shift').worst).toMatchObject({ tensor: 'kq-1' });
});

test('a wrong base keeps distances, and passes as the check says', async () => {
  const report = await checked('reference', otherParams(/_rope-/, { freqBase: 5e5 }));
  expect(resultOf(report, 'position-shift').outcome).toBe('passed');
});

test('a model that turns nothing by RoPE is told that it cannot be moved', async () => {
  const noRope: Transform = {
    name: 'noRope',
    params: {},
    apply: (steps) =>
      steps.map((step) =>
        step.op === 'rope'
          ? { ...step, op: 'mul', inputs: { a: step.inputs.x as string, b: step.inputs.x as string }, params: {} }
          : step,
      ),
  };
  const report = await checkModel((await openRandom('reference')).with(noRope), { tokens: TOKENS });
  expect(resultOf(report, 'position-shift')).toMatchObject({
    outcome: 'could not',
    says: 'Cannot move the positions: the model has no step of op rope',
  });
});

test('a dump whose positions begin elsewhere is compared', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const moved = new RowTrace({
    manifest: trace.manifest,
    entries: trace.entries.map((row) => ({ ...row, pos0: 30 })),
    values: async ({ name }) => (await trace.tensor(name)).data,
    source: 'a test',
  });
  expect(resultOf(await checkTrace([trace, moved]), 'position-shift')).toMatchObject({
    outcome: 'passed',
    looked: model.steps.length - 6,
  });
  const learned = await model
    .with(edit('embd', (tensor) => tensor.add(0.1)))
    .start(TOKENS)
    .toEnd();
  const other = new RowTrace({
    manifest: trace.manifest,
    entries: moved.entries,
    values: async ({ name }) => (await learned.tensor(name)).data,
    source: 'a test',
  });
  expect(resultOf(await checkTrace([trace, other]), 'position-shift').worst?.tensor).toBe('embd');
});
