import { expect, test } from 'vitest';
import { rerun, rerunStep } from '../../src/compare/rerun.ts';
import { RowTrace, type Trace } from '../../src/trace/trace.ts';
import { backends, openRandom, relativeRmsError } from '../engine/models.ts';

const TOKENS = [1, 40, 77, 105, 260];

/** The same trace without the tensors that `lacks` names. */
function without(trace: Trace, lacks: RegExp): Trace {
  const entries = trace.entries.filter(({ name }) => !lacks.test(name));
  const values = async ({ name, pass }: { name: string; pass: number }) => (await trace.tensor(name, { pass })).data;
  return new RowTrace({ manifest: trace.manifest, entries, values, source: 'a test' });
}

test.each(backends)(
  'every step of a prefill and two decode steps gives what the trace holds, on %s',
  async (backend) => {
    const model = await openRandom(backend);
    const run = await model.start(TOKENS).generate(3);
    for (const pass of [0, 1, 2]) {
      for (const { name } of model.steps) {
        const again = await rerun(model, name, run.trace, { pass });
        const { data, shape } = await run.trace.tensor(name, { pass });
        expect(again.shape).toEqual(shape);
        // On the reference the run hands on f64 and the step alone gets f32.
        expect(relativeRmsError(again.data, data), `${name} of pass ${pass}`).toBeLessThan(1e-6);
      }
    }
  },
);

test('a tensor that the trace lacks is computed from what it is made of, and said', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const { output, inputs, steps } = await rerunStep(model, 'ffn_swiglu-1', without(trace, /silu/));
  expect(relativeRmsError(output.data, (await trace.tensor('ffn_swiglu-1')).data)).toBeLessThan(1e-6);
  expect(inputs).toEqual(['ffn_gate-1', 'ffn_up-1']);
  expect(steps).toEqual(['ffn_silu-1', 'ffn_swiglu-1']);
});

test('a whole layer is run on what the layer before left', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const { output, inputs, steps } = await rerunStep(model, 'l_out-1', without(trace, /^(?!l_out).*-1$/));
  expect(relativeRmsError(output.data, (await trace.tensor('l_out-1')).data)).toBeLessThan(1e-6);
  expect(inputs).toEqual(['l_out-0']);
  expect(steps).toHaveLength(model.steps.filter(({ layer }) => layer === 1).length);
});

test('what only statistics were kept of counts as lacking; without anything to begin with, that is named', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS, { select: ['l_out-0', 'l_out-1'] }).toEnd();
  const { inputs } = await rerunStep(model, 'l_out-1', trace);
  expect(inputs).toEqual(['l_out-0']);
  await expect(rerun(model, 'attn_norm-0', trace)).rejects.toThrow(
    "Cannot run attn_norm-0 on the trace's inputs: it reads embd of pass 0, and the trace keeps only statistics of it",
  );
});

test('a pass that the trace has not is refused with those it has', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  await expect(rerun(model, 'embd', trace, { pass: 4 })).rejects.toThrow('its passes are 0');
});
