/** What each request tells: the engine's own numbers, whole or in part, of runs and of traces. */
import { beforeAll, describe, expect, test } from 'vitest';
import * as charts from '../../../src/charts/index.ts';
import type { Model } from '../../../src/engine/model.ts';
import { attribution } from '../../../src/engine/transforms/attribution.ts';
import { lens } from '../../../src/engine/transforms/lens.ts';
import { bytesSource, joinBytes } from '../../../src/gguf/bytes.ts';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { ChartCall } from '../../../src/lab/inspector/requests/chart.ts';
import { openModel } from '../../../src/node/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { noAdapter } from '../../engine/models.ts';
import { have } from '../../skip.ts';
import { type Connected, connected, LILY, nodeHost } from './ports.ts';

const TEXT = 'Lily gave the ball to Tom. Tom thanked';
const GOLDEN = 'fixtures/golden/lily-4m-f16.arrow';
const experiment: Experiment = { file: LILY, backend: 'reference', text: TEXT, faults: [], changes: [] };
const ofTrace: Experiment = { ...experiment, file: GOLDEN, text: '' };

let page: Connected;
let model: Model;
beforeAll(async () => {
  page = connected('wire');
  model = await openModel(LILY, { backend: 'reference' });
  await page.ask('move', { experiment, move: { to: 'end' } });
});

const tensorOf = async (name: string) => await (await page.session.run(experiment)).trace.tensor(name);

describe('step', () => {
  test('tells formula, inputs, output, statistics and a histogram of every value', async () => {
    const detail = await page.ask('step', { experiment, step: 'blocks.1.ln1.hook_out' });
    expect(detail.card).toMatchObject({ name: 'attn_norm-1', op: 'rms_norm', hook: 'blocks.1.ln1.hook_out' });
    expect(detail.card.formula).toContain('sqrt');
    const [x, weight] = detail.inputs;
    expect(x).toMatchObject({ role: 'x', name: 'l_out-0', kind: 'tensor', missing: null });
    expect(x?.first).toEqual((await tensorOf('l_out-0')).data.slice(0, 24));
    expect(weight).toMatchObject({ role: 'weight', name: 'blk.1.attn_norm.weight', kind: 'weight', type: 'F32' });
    expect(weight?.first).toEqual((await model.weight('blk.1.attn_norm.weight')).data.slice(0, 24));
    const whole = await tensorOf('attn_norm-1');
    expect(detail.output?.first).toEqual(whole.data.slice(0, 24));
    expect(detail.output?.shape).toEqual(whole.shape);
    expect(detail.output?.histogram?.counts.reduce((sum, count) => sum + count)).toBe(whole.size);
    const { min, max } = detail.output?.statistics ?? {};
    expect(detail.output?.histogram?.range).toEqual([min, max]);
    expect(detail.computing).toMatchObject({ backend: 'reference', kernels: [] });
    expect(detail.computing.says).toContain('f64');
  });

  test('shows a matrix by its first row, tokens by their ids, a table as the op computes it, a cache by what was written', async () => {
    const matrix = await page.ask('step', { experiment, step: 'Qcur-0' });
    const weight = await model.weight('blk.0.attn_q.weight');
    expect(matrix.inputs[1]).toMatchObject({ type: 'Q8_0', shape: weight.shape });
    expect(matrix.inputs[1]?.first).toEqual(weight.data.slice(0, 24));
    const ids = (await page.ask('step', { experiment, step: 'embd' })).inputs.find(({ kind }) => kind === 'tokens');
    expect([...(ids?.first ?? [])]).toEqual(model.tokenize(TEXT));
    const table = (await page.ask('step', { experiment, step: 'Qcur_rope-0' })).inputs.find(
      ({ kind }) => kind === 'table',
    );
    expect(table?.first?.slice(0, 2)).toEqual(Float32Array.of(1, 0));
    const cache = (await page.ask('step', { experiment, step: 'kq-0' })).inputs.find(({ kind }) => kind === 'cache');
    expect(cache?.first).toEqual((await tensorOf('Kcur_rope-0')).data.slice(0, 24));
  });

  test('of what was not run yet tells the step without values, and why', async () => {
    const fresh = { ...experiment, text: 'Lily' };
    const { output, inputs } = await page.ask('step', { experiment: fresh, step: 'l_out-2' });
    expect(output).toBeNull();
    expect(inputs[0]).toMatchObject({ shape: null, first: null, missing: 'ffn_out-2 is computed first; run to it' });
    await expect(page.ask('step', { experiment, step: 'l_out-9' })).rejects.toThrow('Cannot look at "l_out-9"');
  });

  test('gives the WGSL of every dispatch as the adapter runs it, and whether it is fused', async (context) => {
    have(context, noAdapter ? undefined : true, `${noAdapter}`);
    const onGpu: Experiment = { ...experiment, backend: 'webgpu', text: 'Lily gave' };
    await page.ask('move', { experiment: onGpu, move: { to: 'end' } });
    const { computing } = await page.ask('step', { experiment: onGpu, step: 'ffn_up-0' });
    expect(computing.kernels).not.toEqual([]);
    for (const { code, workgroups } of computing.kernels) {
      expect(code).toMatch(/@compute[^@]*@workgroup_size/);
      expect(code).toContain('q8_0');
      expect(Math.min(...workgroups)).toBeGreaterThan(0);
    }
    const { says } = (await page.ask('step', { experiment: onGpu, step: 'ffn_swiglu-0' })).computing;
    expect(says).toMatch(
      /^Not fused: one dispatch computes it alone, because every tensor is looked at\. .* with ffn_silu-0\.$/,
    );
  });
});

describe('tensor', () => {
  test('gives a tensor whole, or its rows, a head, a token, as slices of it', async () => {
    const whole = await tensorOf('Qcur-1');
    const ask = (part?: object) => page.ask('tensor', { experiment, name: 'Qcur-1', ...(part ? { part } : {}) });
    expect(await ask()).toEqual({
      name: 'Qcur-1',
      pass: 0,
      pos0: 0,
      shape: whole.shape,
      dims: whole.dims,
      data: whole.data,
    });
    expect((await ask({ rows: [2, 4] })).data).toEqual(whole.slice([2, 4]).data);
    expect(await ask({ head: 3 })).toMatchObject({ dims: ['token', 'dim'], data: whole.slice(null, 3).data });
    expect(await ask({ token: 5, head: 1 })).toMatchObject({ dims: ['dim'], data: whole.slice(5, 1).data });
    await expect(page.ask('tensor', { experiment, name: 'embd', part: { head: 0 } })).rejects.toThrow(
      'Cannot take a head of embd: its axes are token, embd; leave head out',
    );
    await expect(ask({ token: 99 })).rejects.toThrow('Cannot take token 99 of Qcur-1: it has tokens 0 to 9');
  });

  test('after a drawn token, a position is looked up in the pass that has it', async () => {
    const drawing = { ...experiment, text: 'Tom' };
    await page.ask('move', { experiment: drawing, move: { draw: 1 } });
    const { rows, tokens } = await page.ask('move', { experiment: drawing, move: { to: 'end' } });
    const last = tokens.length - 1;
    expect(rows.at(-1)).toMatchObject({ pass: 1, pos0: last });
    const { pos0, shape } = await page.ask('tensor', { experiment: drawing, name: 'l_out-0', part: { token: last } });
    expect([pos0, shape]).toEqual([last, [model.config.nEmbd]]);
    const earlier = await page.ask('tensor', { experiment: drawing, name: 'kqv_out-0', part: { token: 0 } });
    expect([earlier.pass, earlier.pos0]).toEqual([0, 0]);
    const first = await page.ask('tensor', { experiment: drawing, name: 'l_out-0', pass: 0 });
    expect(first.shape).toEqual([last, model.config.nEmbd]);
  });

  test('gives weights by their name in the file, and of a matrix no more rows than asked for', async () => {
    const name = 'blk.2.ffn_down.weight';
    const part = await page.ask('tensor', { experiment, name, part: { rows: [3, 5] } });
    expect(part).toMatchObject({ name, pass: null, shape: [2, model.config.nFf], dims: ['row', 'column'] });
    expect(part.data).toEqual((await model.weight(name)).slice([3, 5]).data);
    await expect(page.ask('tensor', { experiment, name, part: { rows: [0, 1e6] } })).rejects.toThrow(
      `Cannot read rows 0 to 1000000 of weight ${name}`,
    );
  });

  test('what overflows arrives as it is', async () => {
    const huge = { ...experiment, text: 'Lily', changes: [{ tensor: 'Qcur-0', how: 'scale', by: 1e39 }] } as const;
    await page.ask('move', { experiment: huge, move: { after: 'kq-0' } });
    const { data } = await page.ask('tensor', { experiment: huge, name: 'Qcur-0' });
    expect(data.some((x) => x === Number.POSITIVE_INFINITY)).toBe(true);
    const kq = await page.ask('tensor', { experiment: huge, name: 'kq-0' });
    expect(kq.data.some(Number.isNaN)).toBe(true);
  });
});

describe('arrow', () => {
  test('is a trace that opens and holds the same values, of all or of what was chosen', async () => {
    const { bytes, tensors, withoutValues } = await page.ask('arrow', { experiment });
    const trace = await openArrowTrace(bytesSource('all.arrow', bytes));
    expect([tensors, withoutValues]).toEqual([model.steps.length, 0]);
    expect(trace.names).toEqual(model.steps.map(({ name }) => name));
    expect(trace.manifest).toMatchObject({ prompt: TEXT, model: await model.sha256() });
    expect((await trace.tensor('l_out-3')).data).toEqual((await tensorOf('l_out-3')).data);
    const some = await page.ask('arrow', { experiment, names: ['kq_soft_max-*'] });
    expect((await openArrowTrace(bytesSource('some.arrow', some.bytes))).names).toHaveLength(model.config.nLayer);
    await expect(page.ask('arrow', { experiment, names: ['nothing-*'] })).rejects.toThrow();
  });

  test('one that is larger than a message comes in parts, which follow each other', async () => {
    const long = { ...experiment, text: TEXT.repeat(12) };
    await page.ask('move', { experiment: long, move: { to: 'end' } });
    const first = await page.ask('arrow', { experiment: long });
    expect(first.parts).toBeGreaterThan(1);
    const pieces = [first.bytes];
    for (let part = 1; part < first.parts; part++) {
      pieces.push((await page.ask('arrow', { experiment: long, part })).bytes);
    }
    const trace = await openArrowTrace(bytesSource('long.arrow', await joinBytes(pieces)));
    expect(trace.entries).toHaveLength(first.tensors);
    await expect(page.ask('arrow', { experiment: long, part: 1 })).rejects.toThrow('ask for part 0 again');
  });
});

type Draw = (source: charts.Source, options: object) => Promise<unknown>;

const CALLS: readonly ChartCall[] = [
  { chart: 'attention', options: { layer: 0, head: 3 } },
  { chart: 'attentionGrid', options: { layer: 1 } },
  { chart: 'attentionEntropy', options: {} },
  { chart: 'headScores', options: {} },
  { chart: 'rmsGrowth', options: {} },
  { chart: 'residualNorm', options: {} },
  { chart: 'distribution', options: { tensor: 'attn_out' } },
  { chart: 'outlierDimensions', options: { k: 3 } },
  { chart: 'topK', options: { k: 4, position: 2 } },
];

describe('chart', () => {
  test.each(CALLS)('$chart of a run is the chart that a cell would draw', async (call) => {
    const run = await model.start(TEXT).toEnd();
    const draw = Object.entries(charts).find(([name]) => name === call.chart)?.[1] as Draw;
    expect(await page.ask('chart', { experiment, ...call })).toEqual(
      JSON.parse(JSON.stringify(await draw(run, call.options))),
    );
  });

  test('steps are drawn of any run; rmsGrowth beside another experiment', async () => {
    const steps = await page.ask('chart', { experiment, chart: 'steps', options: { layer: 2, current: 'kq-2' } });
    expect(JSON.stringify(steps)).toContain('kq_soft_max-2');
    const reference = { ...experiment, faults: [{ fault: 'rope-missing', params: {} }] };
    const pair = { chart: 'rmsGrowth', options: { reference } } as const;
    await page.ask('move', { experiment: reference, move: { to: 'end' } });
    expect(JSON.stringify(await page.ask('chart', { experiment, ...pair }))).toContain('cosine');
  });

  test('lens and attribution are of a run with observers over the same tokens, the drawn ones too, made once', async () => {
    const drawing = { ...experiment, text: 'Lily gave the ball to' };
    await page.ask('move', { experiment: drawing, move: { draw: 1 } });
    const { tokens } = await page.ask('move', { experiment: drawing, move: { to: 'end' } });
    const ids = tokens.map(({ id }) => id);
    const seen = await model
      .with(lens({ k: 3 }))
      .start(ids, { prompt: drawing.text })
      .toEnd();
    const lensCall = { chart: 'logitLens', options: { k: 3 } } as const;
    const plain = (chart: unknown) => JSON.parse(JSON.stringify(chart));
    expect(await page.ask('chart', { experiment: drawing, ...lensCall })).toEqual(plain(await charts.logitLens(seen)));
    const { runs } = page.session.usage;
    const windowed = { chart: 'logitLens', options: { k: 3, positions: [0, 3] } } as const;
    await page.ask('chart', { experiment: drawing, ...windowed });
    expect(page.session.usage.runs).toBe(runs);
    const ranks = { chart: 'rankTrajectory', options: { position: 3 } } as const;
    const ranked = await model.with(lens()).start(ids, { prompt: drawing.text }).toEnd();
    expect(await page.ask('chart', { experiment: drawing, ...ranks })).toEqual(
      plain(await charts.rankTrajectory(ranked, { position: 3 })),
    );
    const token = ids.at(-1) as number;
    const parts = await model.with(attribution({ token })).start(ids, { prompt: drawing.text }).toEnd();
    const call = { chart: 'attribution', options: { token, position: 4 } } as const;
    expect(await page.ask('chart', { experiment: drawing, ...call })).toEqual(
      plain(await charts.attribution(parts, { position: 4 })),
    );
    expect(await page.ask('move', { experiment: drawing, move: { to: 'here' } })).toMatchObject({
      at: 'result_output',
    });
  });
});

describe('of a trace in a file, llama.cpp’s', () => {
  test('its manifest, steps, tokens and rows are told', async () => {
    expect(await page.ask('kind', { file: GOLDEN })).toBe('trace');
    const opened = await page.ask('openTrace', { file: GOLDEN });
    expect(opened.manifest.producer).toBe('llama.cpp');
    expect(opened.steps.map(({ name }) => name)).toContain('kq_soft_max-5');
    const state = await page.ask('move', { experiment: ofTrace, move: { to: 'end' } });
    expect(state).toMatchObject({ next: null, at: opened.steps.at(-1)?.name });
    expect(state.tokens.map(({ id }) => id)).toEqual(opened.manifest.tokens);
    await expect(page.ask('move', { experiment: ofTrace, move: { draw: 1 } })).rejects.toThrow('it is a trace');
  });

  test('a step shows its output and says what a trace does not tell', async () => {
    const { output, inputs, computing } = await page.ask('step', { experiment: ofTrace, step: 'l_out-0' });
    const trace = await openArrowTrace(await nodeHost.open(GOLDEN));
    expect(output?.first).toEqual((await trace.tensor('l_out-0')).data.slice(0, 24));
    expect([inputs, computing.kernels]).toEqual([[], []]);
    expect(computing.says).toContain('open its model');
    await expect(page.ask('step', { experiment: ofTrace, step: 'lens_ids-0' })).rejects.toThrow(
      'Cannot look at lens_ids-0',
    );
  });

  test('charts, tensors and Arrow are of what it holds; what needs a model says so', async () => {
    const trace = await openArrowTrace(await nodeHost.open(GOLDEN));
    expect(
      await page.ask('chart', { experiment: ofTrace, chart: 'attention', options: { layer: 0, head: 0 } }),
    ).toEqual(JSON.parse(JSON.stringify(await charts.attention(trace, { layer: 0, head: 0 }))));
    const { data } = await page.ask('tensor', { experiment: ofTrace, name: 'kq-1', part: { head: 2 } });
    expect(data).toEqual((await trace.tensor('kq-1')).slice(2).data);
    expect(await page.ask('arrow', { experiment: ofTrace, names: ['l_out-*'] })).toMatchObject({ withoutValues: 0 });
    await expect(page.ask('chart', { experiment: ofTrace, chart: 'logitLens', options: {} })).rejects.toThrow('lens(');
    await expect(page.ask('chart', { experiment: ofTrace, chart: 'steps', options: {} })).rejects.toThrow(
      'it is a trace',
    );
  });
});
