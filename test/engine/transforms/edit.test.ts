import { describe, expect, test } from 'vitest';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { lens } from '../../../src/engine/transforms/lens.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { InterruptedError, StepError } from '../../../src/errors.ts';
import type { Progress } from '../../../src/platform.ts';
import type { Tensor } from '../../../src/trace/tensor.ts';
import type { TraceRow } from '../../../src/trace/trace.ts';
import { backends, openRandom, relativeRmsError } from '../models.ts';

const TOKENS = [1, 40, 77, 105, 9];
const silence = (tensor: Tensor) => tensor.scale(0);
/** End to end between plans; DESIGN.md, "What agreement means". */
const END_TO_END = 1e-5;

describe.each(backends)('on %s', (backend) => {
  test('an edited tensor is what later steps read, and what the trace tells', async () => {
    const model = await openRandom(backend);
    const run = await model.with(edit('ffn_out-1', silence)).start(TOKENS).toEnd();
    expect((await run.tensor('ffn_out-1')).norm()).toBe(0);
    expect(run.trace.entries.find(({ name }) => name === 'ffn_out-1')?.statistics.zeroCount).toBe(5 * 64);
    expect((await run.tensor('l_out-1')).data).toEqual((await run.tensor('ffn_inp-1')).data);
  });

  test('it is what replace() does by hand, and nothing before it changes by a bit', async () => {
    const model = await openRandom(backend);
    const byHand = await model.start(TOKENS).to('kqv_out-2');
    const swapped = (tensor: Tensor) => tensor.map((_, token, head, dim) => tensor.at(token, 3 - head, dim));
    await byHand.replace('kqv_out-2', swapped(await byHand.tensor('kqv_out-2')));
    await byHand.toEnd();
    const run = await model.with(edit('kqv_out-2', swapped)).start(TOKENS).toEnd();
    for (const name of run.trace.names) {
      expect((await run.tensor(name)).data, name).toEqual((await byHand.tensor(name)).data);
    }
  });

  test('a function that changes nothing leaves every bit of f32', async () => {
    const model = await openRandom(backend);
    const plain = await model.start(TOKENS).toEnd();
    const run = await model
      .with(edit(['attn_out-*', 'l_out-2'], (tensor) => tensor))
      .start(TOKENS)
      .toEnd();
    for (const name of run.trace.names) {
      const [found, wanted] = [(await run.tensor(name)).data, (await plain.tensor(name)).data];
      // f64 is rounded to f32 where it is edited, so only the device keeps its bits.
      if (backend === 'webgpu') expect(found, name).toEqual(wanted);
      else expect(relativeRmsError(found, wanted), name).toBeLessThan(END_TO_END);
    }
  });

  test('an edited key reaches the cache: later tokens read it', async () => {
    const model = await openRandom(backend);
    const double = (tensor: Tensor) => tensor.scale(2);
    const tokens = [...TOKENS, 200, 31];
    const whole = await model.with(edit('*cur*-0', double)).start(tokens).toEnd();
    const parts = await model.with(edit('*cur*-0', double)).start(tokens.slice(0, 5)).toEnd();
    await (await parts.append(tokens.slice(5))).toEnd();
    const [found, wanted] = [await parts.tensor('result_output'), (await whole.tensor('result_output')).slice([5, 7])];
    expect(relativeRmsError(found.data, wanted.data)).toBeLessThan(END_TO_END);
  });

  test('it sees each pass of a generation, with the position of its first token', async () => {
    const seen: string[] = [];
    const watch = (tensor: Tensor, { nPast, nTokens }: { nPast: number; nTokens: number }) => {
      seen.push(`${nTokens} after ${nPast}: ${tensor.shape.join('x')}`);
      return tensor;
    };
    const run = (await openRandom(backend)).with(edit('l_out-0', watch)).start(TOKENS);
    await run.generate(3, { stopAtEnd: false });
    expect(seen).toEqual(['5 after 0: 5x64', '1 after 5: 1x64', '1 after 6: 1x64']);
  });

  test('the logits can be edited, and the sampler draws from what they became', async () => {
    const only7 = (tensor: Tensor) => tensor.map((_, __, token) => (token === 7 ? 1 : 0));
    const run = await (await openRandom(backend)).with(edit('result_output', only7)).start(TOKENS).generate(2);
    expect(run.sampled.map(({ token }) => token)).toEqual([7, 7]);
  });

  test('edits of one tensor follow each other, and go with other transforms', async () => {
    const model = (await openRandom(backend)).with(
      edit('blocks.0.hook_resid_post', (tensor) => tensor.scale(0)),
      edit('l_out-0', async (tensor) => tensor.add(1)),
      lens({ layers: [0] }),
    );
    const run = await model.start(TOKENS).toEnd();
    expect([...new Set((await run.tensor('l_out-0')).data)]).toEqual([1]);
    const ids = (await run.tensor('lens_ids-0')).rows().map((row) => row.data.join());
    expect(new Set(ids).size).toBe(1);
  });

  test('what nobody observes is edited all the same: it is not fused away', async () => {
    const model = await openRandom(backend);
    const options = { select: 'result_output', statistics: false };
    const logits = async (made: typeof model) =>
      (await made.start(TOKENS, options).toEnd()).tensor('result_output').then(({ data }) => data);
    const edited = model.with(edit('ffn_silu-1', silence));
    expect(await logits(edited)).toEqual(await logits(model.with(edit('ffn_swiglu-1', silence))));
    expect(await logits(edited)).not.toEqual(await logits(model));
    if (backend === 'reference') return;
    const fused = (made: typeof model) => made.manifest(TOKENS, options).plan;
    expect(fused(model.with(edit('ffn_silu-*', silence)))).toMatchObject({ fused: [] });
    expect(fused(model)).toMatchObject({ fused: ['silu_mul'] });
  });

  test('progress, a sink and step() see the value after the edit', async () => {
    const model = (await openRandom(backend)).with(edit('l_out-1', silence));
    const sent: [string, number][] = [];
    const sink = {
      append: async ({ name, statistics }: TraceRow) => void sent.push([name, statistics.absmax ?? -1]),
    };
    const steps: string[] = [];
    const onProgress = ({ task, item }: Progress) => void (task === 'running' && steps.push(item));
    const run = model.start(TOKENS, { sink, onProgress });
    await run.toEnd();
    expect(sent.find(([name]) => name === 'l_out-1')).toEqual(['l_out-1', 0]);
    expect(sent.map(([name]) => name)).toEqual(run.trace.names);
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps.at(-1)).toBe('result_output');
    const stepped = model.start(TOKENS);
    while (stepped.next?.layer !== 2) await stepped.step();
    expect((await stepped.tensor('l_out-1')).norm()).toBe(0);
  });

  test('interrupted before it, the run goes on as if it had not been', async () => {
    const model = (await openRandom(backend)).with(edit('ffn_inp-1', silence));
    const stop = new AbortController();
    const run = model.start(TOKENS, { signal: stop.signal, onProgress: () => stop.abort() });
    await expect(run.toEnd()).rejects.toThrow(InterruptedError);
    await run.toEnd();
    const whole = await model.start(TOKENS).toEnd();
    expect((await run.tensor('result_output')).data).toEqual((await whole.tensor('result_output')).data);
  });

  test('where the function throws, its error arrives and the next move tries the step again', async () => {
    let calls = 0;
    const model = (await openRandom(backend)).with(
      edit('attn_norm-1', (tensor) => {
        if (calls++ === 0) throw new RangeError('not yet');
        return tensor.scale(0);
      }),
    );
    const run = model.start(TOKENS);
    await expect(run.toEnd()).rejects.toThrow(new RangeError('not yet'));
    expect(run.next?.name).toBe('attn_norm-1');
    expect(run.trace.names).not.toContain('attn_norm-1');
    await run.toEnd();
    expect((await run.tensor('attn_norm-1')).norm()).toBe(0);
    expect(calls).toBe(2);
  });

  test('a value that does not fit is refused, and says what was wanted', async () => {
    const model = await openRandom(backend);
    const refused = (fn: Parameters<typeof edit>[1]) =>
      expect(model.with(edit('l_out-0', fn)).start(TOKENS).toEnd()).rejects;
    await refused((tensor) => tensor.slice(0)).toThrow(
      'Cannot edit l_out-0: the function gave a tensor [64]; wanted [5, 64], 320 numbers',
    );
    await refused(() => [1, 2]).toThrow('the function gave 2 numbers');
    await refused((() => {}) as unknown as () => number[]).toThrow('the function gave nothing');
  });

  test('a step alone is edited as in a run', async () => {
    const model = (await openRandom(backend)).with(edit('ffn_silu-0', (tensor) => tensor.add(1)));
    const run = await model.start(TOKENS).toEnd();
    const alone = await model.runStep('ffn_silu-0', { x: await run.tensor('ffn_gate-0') });
    expect(relativeRmsError(alone.data, (await run.tensor('ffn_silu-0')).data)).toBeLessThan(1e-6);
  });
});

test('the manifest lists which tensors are edited, and what the change is called', async () => {
  const model = await openRandom('reference');
  const transforms = (...made: Transform[]) => model.with(...made).manifest(TOKENS).transforms;
  expect(transforms(edit('l_out-0', silence))).toEqual([
    { name: 'edit', params: { tensors: 'l_out-0', label: 'silence' } },
  ]);
  expect(transforms(edit(['Qcur-*', 'Kcur-1'], (tensor) => tensor))).toEqual([
    { name: 'edit', params: { tensors: 'Qcur-*,Kcur-1' } },
  ]);
  expect(transforms(edit('l_out-0', (tensor) => tensor.scale(2), { label: 'twice' }))).toEqual([
    { name: 'edit', params: { tensors: 'l_out-0', label: 'twice' } },
  ]);
});

test('a name that no step has is refused with the nearest ones', async () => {
  const model = await openRandom('reference');
  expect(() => model.with(edit('kqv-out-1', silence))).toThrow(StepError);
  expect(() => model.with(edit('kqv-out-1', silence))).toThrow(/Cannot edit "kqv-out-1".*nearest are kqv_out-1/);
});
