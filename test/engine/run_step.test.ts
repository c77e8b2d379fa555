import { expect, test } from 'vitest';
import { StepError } from '../../src/errors.ts';
import { backends, noAdapter, openRandom, relativeRmsError } from './models.ts';

const TOKENS = [1, 40, 77, 105, 260];

test.each(backends)('each step alone on the inputs it had gives what it gave in the run, on %s', async (backend) => {
  const model = await openRandom(backend);
  const run = await model.start(TOKENS).toEnd();
  for (const step of model.steps) {
    const inputs = Object.entries(step.inputs).filter(([, name]) => !name.endsWith('.weight'));
    const given = await Promise.all(
      inputs.map(async ([role, name]) => {
        if (name === 'tokens') return [role, TOKENS] as const;
        return [role, await run.tensor(name.replace('cache_k', 'Kcur_rope').replace('cache_v', 'Vcur'))] as const;
      }),
    );
    const alone = await model.runStep(step.name, Object.fromEntries(given));
    const inRun = await run.tensor(step.name);
    expect(alone.shape).toEqual(inRun.shape);
    // On the reference the run hands on f64 and the step alone gets f32.
    expect(relativeRmsError(alone.data, inRun.data), step.name).toBeLessThanOrEqual(backend === 'webgpu' ? 0 : 1e-6);
  }
});

test.skipIf(noAdapter)('a step of a model on one backend runs on the other too, by any alias', async () => {
  const model = await openRandom('webgpu');
  const run = await model.start(TOKENS).to('ffn_gate-1');
  const x = await run.tensor('ffn_norm-1');
  const wanted = await model.runStep('blocks.1.mlp.hook_pre', { x }, { backend: 'reference' });
  expect(relativeRmsError((await run.tensor('ffn_gate-1')).data, wanted.data)).toBeLessThanOrEqual(1e-6);
});

test('a cache longer than the tokens is the past', async () => {
  const model = await openRandom('reference');
  const run = await model.start(TOKENS).toEnd();
  const [q, k] = [await run.tensor('Qcur_rope-0'), await run.tensor('Kcur_rope-0')];
  const last = await model.runStep('kq-0', { q: q.slice([4, 5]), k });
  expect(last.shape).toEqual([4, 1, 5]);
  const inRun = (await run.tensor('kq-0')).slice(2, 4);
  expect(relativeRmsError(last.slice(2, 0).data, inRun.data)).toBeLessThanOrEqual(1e-6);
});

test('inputs that do not fit are refused with the step or role', async () => {
  const model = await openRandom('reference');
  const embd = await (await model.start(TOKENS).step()).tensor('embd');
  await expect(model.runStep('Qcur-9', { x: embd })).rejects.toThrow(/nearest are Qcur-/);
  await expect(model.runStep('Qcur-0', { y: embd })).rejects.toThrow(StepError);
  await expect(model.runStep('ffn_out-0', { x: embd })).rejects.toThrow(/must have 96 numbers/);
});
