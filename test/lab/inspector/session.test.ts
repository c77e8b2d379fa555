/** The session behind the inspector: what is shared, bounded, stopped, lost and told. */
import { beforeAll, describe, expect, test } from 'vitest';
import { openModelFrom } from '../../../src/engine/model.ts';
import { DeviceError } from '../../../src/errors.ts';
import { bytesSource, joinBytes } from '../../../src/gguf/bytes.ts';
import { modelShapes, randomModel, randomModelContent } from '../../../src/gguf/random_model.ts';
import { byteLength, fileLength, ggufPieces } from '../../../src/gguf/writer.ts';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import type { InspectorHost } from '../../../src/lab/inspector/host.ts';
import { openGpu } from '../../../src/node/gpu.ts';
import { nodePlatform } from '../../../src/node/index.ts';
import { have } from '../../skip.ts';
import { type Connected, connected, LILY, nodeHost } from './ports.ts';

const RANDOM: Experiment = {
  ...{ file: 'random.gguf', backend: 'reference', text: 'the given ids', tokens: [1, 300, 17, 301, 42] },
  ...{ faults: [], changes: [] },
};
let bytes: Uint8Array;

beforeAll(async () => {
  bytes = await joinBytes(randomModel({ ...modelShapes.awkward, type: 'F32', seed: 7 }));
});

async function withRandom(host?: InspectorHost): Promise<Connected> {
  const page = connected('wire', host);
  page.client.lend(bytesSource('random.gguf', bytes));
  await page.ask('drop', { name: 'random.gguf', size: bytes.length });
  return page;
}

describe('runs', () => {
  test('equal experiments share one run, in whatever order their parts were written', async () => {
    const page = await withRandom();
    await page.ask('move', { experiment: RANDOM, move: { after: 'l_out-0' } });
    const { tokens, changes, faults, ...rest } = RANDOM;
    const same = { changes, faults, tokens, ...rest } as Experiment;
    expect(await page.ask('move', { experiment: same, move: { to: 'here' } })).toMatchObject({ at: 'l_out-0' });
    const other = { ...RANDOM, changes: [{ tensor: 'embd', how: 'scale', by: 2 }] } as const;
    expect(await page.ask('move', { experiment: other, move: { to: 'here' } })).toMatchObject({ at: null });
    expect(page.session.usage.runs).toBe(2);
  });

  test('a run goes on, back, through a layer, one step, and draws tokens; each state tells tokens, place and rows', async () => {
    const { ask } = await withRandom();
    const move = (to: Parameters<typeof ask<'move'>>[1]['move']) => ask('move', { experiment: RANDOM, move: to });
    expect(await move({ to: 'here' })).toMatchObject({ at: null, next: 'embd', passes: 0, rows: [] });
    expect(await move({ after: 'ffn_inp-1' })).toMatchObject({ at: 'ffn_inp-1', next: 'ffn_norm-1', passes: 1 });
    expect(await move({ after: 'Qcur-0' })).toMatchObject({ at: 'Qcur-0' });
    expect(await move({ to: 'step' })).toMatchObject({ at: 'Kcur-0' });
    expect(await move({ layer: 0 })).toMatchObject({ at: 'l_out-0', next: 'attn_norm-1' });
    const drawn = await move({ draw: 2 });
    expect(drawn.tokens.map(({ id }) => id).slice(0, 5)).toEqual(RANDOM.tokens);
    expect(drawn.tokens).toHaveLength(7);
    const end = await move({ to: 'end' });
    expect(end).toMatchObject({ next: null, passes: 3, stopped: null });
    expect(end.rows.filter(({ name }) => name === 'l_out-1').map(({ pos0, shape }) => [pos0, shape[0]])).toEqual([
      [0, 5],
      [5, 1],
      [6, 1],
    ]);
    const back = await move({ after: 'l_out-0', pass: 1 });
    expect(back).toMatchObject({ at: 'l_out-0', passes: 2 });
    expect(back.tokens).toHaveLength(6);
  });

  test('has so many tokens drawn as a move says, all in all: draws what lacks, and goes back behind the last of more', async () => {
    const { ask } = await withRandom();
    const move = (to: Parameters<typeof ask<'move'>>[1]['move']) => ask('move', { experiment: RANDOM, move: to });
    const ids = async (drawn: number) => (await move({ drawn })).tokens.map(({ id }) => id);
    const three = await ids(3);
    expect(three).toHaveLength(8);
    expect(await ids(3)).toEqual(three);
    expect(await ids(1)).toEqual(three.slice(0, 6));
    expect(await move({ to: 'here' })).toMatchObject({ drawn: 1, passes: 2, at: 'result_output', next: null });
    expect(await ids(3)).toEqual(three);
    expect(await ids(0)).toEqual(RANDOM.tokens);
  });

  test('a move that is stopped keeps what is done, says where, and the next goes on from there to the same values', async () => {
    const { ask } = await withRandom();
    const stopping = new AbortController();
    const state = await ask(
      'move',
      { experiment: RANDOM, move: { to: 'end' } },
      { signal: stopping.signal, onProgress: ({ item }) => item === 'kq-0' && stopping.abort() },
    );
    expect(state.stopped).toMatch(/^Cannot finish result_output: interrupted before /);
    expect(state.rows.length).toBeGreaterThan(3);
    expect(state.next).not.toBeNull();
    expect(await ask('move', { experiment: RANDOM, move: { to: 'end' } })).toMatchObject({ next: null, stopped: null });
    const model = await openModelFrom(bytesSource('random.gguf', bytes), nodePlatform, { backend: 'reference' });
    const whole = await model.start(RANDOM.tokens as number[]).toEnd();
    const { data } = await ask('tensor', { experiment: RANDOM, name: 'result_output' });
    expect(data).toEqual((await whole.trace.tensor('result_output')).data);
  });

  test('no more than six are kept, and all is given back when the page goes', async () => {
    const page = await withRandom();
    const all = Array.from({ length: 8 }, (_, i) => ({ ...RANDOM, tokens: [1, 300 + i] }));
    for (const experiment of all) await page.ask('move', { experiment, move: { to: 'end' } });
    expect(page.session.usage).toEqual({ runs: 6, models: 1, traces: 0 });
    const [oldest, newest] = [all[0] as Experiment, all[7] as Experiment];
    expect(await page.ask('move', { experiment: newest, move: { to: 'here' } })).toMatchObject({ at: 'result_output' });
    expect(await page.ask('move', { experiment: oldest, move: { to: 'here' } })).toMatchObject({ at: null });
    const run = await page.session.run(newest);
    page.hangUp();
    await expect.poll(() => page.session.usage).toEqual({ runs: 0, models: 0, traces: 0 });
    await expect(run.tensor('result_output')).rejects.toThrow('the run was closed');
    await expect(page.ask('kind', { file: LILY })).rejects.toThrow('The page was closed');
  });

  test('a run keeps no more than its share of the host’s budget, and the rest is told to be gone', async () => {
    const page = await withRandom({ ...nodeHost, budget: 6 * 40_000 });
    await page.ask('move', { experiment: RANDOM, move: { to: 'end' } });
    const run = await page.session.run(RANDOM);
    expect(run.usage.dropped).toBeGreaterThan(0);
    await expect(page.ask('tensor', { experiment: RANDOM, name: 'embd' })).rejects.toThrow(
      'only its statistics were kept',
    );
  });
});

describe('files', () => {
  test('what is neither model nor trace, or a broken one of either, is told with its cure, and the session goes on', async () => {
    const page = await withRandom();
    const dropped = async (name: string, content: Uint8Array) => {
      page.client.lend(bytesSource(name, content));
      return page.ask('drop', { name, size: content.length });
    };
    await expect(dropped('notes.txt', new TextEncoder().encode('hello there'))).rejects.toThrow(
      'Cannot open notes.txt: it begins with "hello "; wanted a model ("GGUF") or a trace ("ARROW1")',
    );
    expect(await dropped('cut.gguf', bytes.slice(0, 5000))).toEqual({ kind: 'model' });
    await expect(page.ask('open', { file: 'cut.gguf', backend: 'reference' })).rejects.toMatchObject({
      ...{ kind: 'GgufError', file: 'cut.gguf', message: expect.stringMatching(/^Cannot read cut\.gguf: /) },
    });
    const golden = await (await nodeHost.open('fixtures/golden/lily-4m-f16.arrow')).read(0, 9000);
    expect(await dropped('cut.arrow', golden)).toEqual({ kind: 'trace' });
    await expect(page.ask('openTrace', { file: 'cut.arrow' })).rejects.toMatchObject({ kind: 'TraceError' });
    await expect(page.ask('open', { file: 'gone.gguf', backend: 'reference' })).rejects.toThrow(
      'there is no such file',
    );
    await expect(page.ask('open', { file: 'cut.arrow', backend: 'reference' })).rejects.toThrow(
      'Cannot run cut.arrow: it is a trace',
    );
    expect(await page.ask('move', { experiment: RANDOM, move: { to: 'end' } })).toMatchObject({ next: null });
  });

  test('a file that is dropped again under its name is the new one', async () => {
    const page = await withRandom();
    const before = await page.ask('open', { file: 'random.gguf', backend: 'reference' });
    const other = await joinBytes(randomModel({ ...modelShapes.awkward, nLayer: 1, type: 'F32', seed: 8 }));
    page.client.lend(bytesSource('random.gguf', other));
    await page.ask('drop', { name: 'random.gguf', size: other.length });
    const after = await page.ask('open', { file: 'random.gguf', backend: 'reference' });
    expect([before.config.nLayer, after.config.nLayer]).toEqual([2, 1]);
    expect(page.session.usage).toMatchObject({ models: 1 });
  });

  test('of a model of 5 GB on the page, no more is read than its header and the weights that run', async () => {
    const page = connected('wire');
    const source = await sparseModel(5e9);
    page.client.lend(source);
    await page.ask('drop', { name: source.name, size: source.size });
    const experiment = { ...RANDOM, file: source.name };
    const { steps } = await page.ask('open', experiment);
    expect(steps.length).toBeGreaterThan(30);
    expect(source.readBytes()).toBeLessThan(1.1e6);
    const ours = await page.ask('move', { experiment, move: { after: 'Qcur-0' } });
    const theirs = await (await withRandom()).ask('move', { experiment: RANDOM, move: { after: 'Qcur-0' } });
    expect(ours.rows).toEqual(theirs.rows);
    expect(source.readBytes()).toBeLessThan(2.5e6);
  });

  test('a page that goes while a file is read ends what waits for it', async () => {
    const page = connected();
    page.client.lend({ name: 'slow.gguf', size: 1000, read: () => new Promise(() => {}), close: async () => {} });
    const dropped = page.session.lend('slow.gguf', 1000).then(() => page.session.kind('slow.gguf'));
    await expect.poll(() => page.session.usage).toMatchObject({ models: 0 });
    page.hangUp();
    await expect(dropped).rejects.toThrow('The page was closed');
  });
});

/** The random model behind a tensor of so many bytes that no file holds: what is asked of it is zeros. */
async function sparseModel(gap: number) {
  const content = randomModelContent({ ...modelShapes.awkward, type: 'F32', seed: 7 });
  const [first, ...rest] = content.tensors;
  if (!first) throw new Error('a model without tensors');
  const rows = Math.floor(gap / 4 / 1024);
  const big = { name: 'blk.0.attn_rot_embd', type: 'F32', shape: [rows, 1024], data: () => [] } as const;
  const without = { ...content, tensors: [first, ...rest] };
  const withBig = { ...content, tensors: [big, first, ...rest] };
  const whole = await joinBytes(ggufPieces(without));
  const dataAt = fileLength(without) - content.tensors.reduce((sum, tensor) => sum + padded(byteLength(tensor)), 0);
  const header = await headerOf(withBig);
  const size = fileLength(withBig);
  const skipped = size - (whole.length - dataAt);
  let read = 0;
  return {
    name: 'large.gguf',
    size,
    readBytes: () => read,
    async read(offset: number, length: number) {
      read += length;
      const out = new Uint8Array(length);
      for (const [at, part] of [
        [0, header],
        [skipped, whole.subarray(dataAt)],
      ] as const) {
        const from = Math.max(offset, at);
        const to = Math.min(offset + length, at + part.length);
        if (from < to) out.set(part.subarray(from - at, to - at), from - offset);
      }
      return out;
    },
    async close() {},
  };
}

const padded = (length: number): number => 32 * Math.ceil(length / 32);

/** The file's first piece: all before the data. */
async function headerOf(content: Parameters<typeof ggufPieces>[0]): Promise<Uint8Array> {
  for await (const piece of ggufPieces(content)) return piece;
  throw new Error('an empty file');
}

describe('the GPU', () => {
  test('where there is none, the reference computes and the page is told', async () => {
    const platform = {
      ...nodePlatform,
      gpu: () => Promise.reject(new DeviceError('Cannot open a GPU: no adapter; turn it on')),
    };
    const page = await withRandom({ ...nodeHost, platform });
    const opened = await page.ask('open', { file: 'random.gguf', backend: 'webgpu' });
    expect(opened.backend.name).toBe('reference');
    expect(opened.notice).toBe(
      'Runs on the reference backend, in f64 on the CPU and slower, because there is no WebGPU here. ' +
        'Cannot open a GPU: no adapter; turn it on',
    );
    const asked = await page.ask('open', { file: 'random.gguf', backend: 'reference' });
    expect(asked.notice).toBeNull();
    const onGpu: Experiment = { ...RANDOM, backend: 'webgpu' };
    expect(await page.ask('move', { experiment: onGpu, move: { to: 'end' } })).toMatchObject({ next: null });
  });

  test('one that is lost is told by the next request, and the one after it has a new device', async (context) => {
    const gpu = have(context, await openGpu().catch(() => undefined), 'no WebGPU adapter');
    const page = await withRandom();
    const experiment: Experiment = { ...RANDOM, backend: 'webgpu' };
    const before = await page.ask('move', { experiment, move: { to: 'end' } });
    gpu.device.destroy();
    await gpu.device.lost;
    await expect(page.ask('move', { experiment, move: { to: 'here' } })).rejects.toMatchObject({
      ...{ kind: 'DeviceError', message: expect.stringMatching(/^Cannot go on: the GPU was lost .*Do it again/) },
    });
    expect(await page.ask('move', { experiment, move: { to: 'here' } })).toMatchObject({ at: null });
    const after = await page.ask('move', { experiment, move: { to: 'end' } });
    expect(after.rows).toEqual(before.rows);
  });
});

test('a GPU that is lost in the middle of a move ends it with that reason, which is not told again', async (context) => {
  const page = connected('wire');
  const gpu = have(context, await openGpu().catch(() => undefined), 'no WebGPU adapter');
  const experiment: Experiment = { ...RANDOM, file: LILY, backend: 'webgpu', text: 'Lily gave', tokens: [1, 300] };
  const moving = page.ask(
    'move',
    { experiment, move: { draw: 200 } },
    { onProgress: ({ done }) => done === 3 && gpu.device.destroy() },
  );
  await expect(moving).rejects.toMatchObject({
    kind: 'DeviceError',
    message: expect.stringMatching(/was lost .* Do it again/),
  });
  await gpu.device.lost;
  expect(await page.ask('move', { experiment, move: { to: 'end' } })).toMatchObject({ next: null, stopped: null });
});

test('a request of another version is refused with the cure', async () => {
  const { client } = connected();
  await expect(client.ask('toString', {})).rejects.toThrow('Cannot answer toString: there is no such request');
});
