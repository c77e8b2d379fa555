/** Long work under the eyes of its caller and of its host: what is told, what stops it, and that it goes on afterwards. */
import { describe, expect, test } from 'vitest';
import { type Model, openModelFrom } from '../../src/engine/model.ts';
import { InterruptedError } from '../../src/errors.ts';
import { type RandomModelOptions, randomModelSource } from '../../src/gguf/random_model.ts';
import type { Platform, Progress, Watch } from '../../src/platform.ts';
import { backends, noAdapter, platform, tiny } from './models.ts';

const TOKENS = [1, 40, 77, 105, 260];

/** A host whose watch a test can change, and what its sink was told. */
class Host {
  watch: Watch = {};
  readonly told: Progress[] = [];
  readonly written: string[] = [];

  /** From now on all work is watched; gives what stops it. */
  begin(onProgress: (progress: Progress) => void = () => {}): AbortController {
    const stop = new AbortController();
    this.told.length = 0;
    this.watch = {
      signal: stop.signal,
      onProgress: (progress) => {
        this.told.push(progress);
        onProgress(progress);
      },
    };
    return stop;
  }

  async open(backend: 'webgpu' | 'reference', options: Partial<RandomModelOptions> = {}): Promise<Model> {
    const host: Platform = {
      ...platform,
      watch: () => this.watch,
      writeFile: async (path, fill) => {
        let size = 0;
        await fill(async ({ byteLength }) => {
          size += byteLength;
        });
        this.written.push(path);
        return size;
      },
    };
    return openModelFrom(await randomModelSource({ ...tiny, ...options }), host, { backend });
  }

  /** What was told of a task. */
  of(task: string): Progress[] {
    return this.told.filter((progress) => progress.task === task);
  }
}

/** Each counts up to its total. */
function expectWhole(told: readonly Progress[]): void {
  expect(told.length).toBeGreaterThan(0);
  const counts = told.map(({ done }) => done);
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(told.at(-1)?.done).toBe(told.at(-1)?.total);
}

describe.each(backends)('on %s', (backend) => {
  test('a host sees and stops the moves of models opened before, and its next signal stops none', async () => {
    const host = new Host();
    const model = await host.open(backend);
    const run = model.start(TOKENS);
    const stop = host.begin(({ item }) => item === 'l_out-0' && stop.abort());
    await expect(run.toEnd()).rejects.toThrow(InterruptedError);
    expect(run.next?.name).toBe('attn_norm-1');
    await expect(run.toEnd()).rejects.toThrow(InterruptedError);
    const left = run.steps.length - run.steps.findIndex(({ name }) => name === 'attn_norm-1');
    host.begin();
    await run.toEnd();
    expectWhole(host.of('running'));
    expect(host.of('running').at(-1)).toMatchObject({ item: 'result_output', total: left });
    const whole = await model.start(TOKENS).toEnd();
    expect((await run.tensor('result_output')).data).toEqual((await whole.tensor('result_output')).data);
  });

  test('a signal and a sink of the caller stand beside the host’s signal and before its sink', async () => {
    const host = new Host();
    const run = (await host.open(backend)).start(TOKENS);
    const stop = host.begin();
    const mine: string[] = [];
    const watch: Watch = { signal: new AbortController().signal, onProgress: ({ item }) => void mine.push(item) };
    await run.layer(0, watch);
    expect(mine).toContain('l_out-0');
    expect(host.told).toEqual([]);
    stop.abort();
    await expect(run.toEnd(watch)).rejects.toThrow(InterruptedError);
  });

  test('a move that waits for another belongs to those who called it', async () => {
    const host = new Host();
    const run = (await host.open(backend)).start(TOKENS);
    const first = host.begin();
    const waiting = [run.layer(0), run.layer(1)];
    host.begin();
    first.abort();
    for (const move of waiting) await expect(move).rejects.toThrow(InterruptedError);
    await run.layer(1);
    expect(run.next?.name).toBe('attn_norm-2');
  });

  test('a run that is stopped at every chance has the bits of one that nobody watched, fused steps too', async () => {
    const host = new Host();
    const model = await host.open(backend);
    const options = { select: 'result_output', statistics: false } as const;
    const whole = await model.start(TOKENS, options).toEnd();
    const run = model.start(TOKENS, options);
    let stops = 0;
    for (let hasEnded = false; !hasEnded; ) {
      const stop = host.begin(() => stop.abort());
      hasEnded = await run.toEnd().then(
        () => true,
        () => false,
      );
      if (!hasEnded) stops++;
    }
    expect(stops).toBeGreaterThan(run.steps.length / 2);
    expect((await run.tensor('result_output')).data).toEqual((await whole.tensor('result_output')).data);
  });

  test('one count goes over all passes of a long prompt', async () => {
    const host = new Host();
    const model = await host.open(backend, { nLayer: 1, nCtx: 640, nVocab: 300 });
    const run = model.start(
      Array.from({ length: 600 }, (_, i) => 3 + (i % 290)),
      { select: 'none' },
    );
    await run.step();
    host.begin();
    await run.toEnd();
    const told = host.of('running');
    expectWhole(told);
    expect(told[0]?.total).toBe(2 * model.steps.length - 1);
    expect(new Set(told.map(({ total }) => total)).size).toBe(1);
  });

  test('a generation counts its tokens, after the steps of the prompt', async () => {
    const host = new Host();
    const run = (await host.open(backend)).start(TOKENS);
    host.begin();
    await run.generate(4, { stopAtEnd: false });
    expectWhole(host.of('running'));
    expect(host.of('running').every(({ total }) => total === run.steps.length)).toBe(true);
    expect(host.of('drawing tokens').map(({ done, total }) => [done, total])).toEqual([
      [1, 4],
      [2, 4],
      [3, 4],
      [4, 4],
    ]);
    expect(host.of('drawing tokens').map(({ item }) => item)).toEqual(run.sampled.map(({ piece }) => piece));
  });

  test('a generation that ends early ends its count, and a stopped one goes on', async () => {
    const host = new Host();
    const run = (await host.open(backend, { nCtx: 8 })).start(TOKENS);
    const stop = host.begin(({ task }) => task === 'drawing tokens' && stop.abort());
    await expect(run.generate(10, { stopAtEnd: false })).rejects.toThrow(InterruptedError);
    expect(run.sampled).toHaveLength(1);
    host.begin();
    await run.generate(10, { stopAtEnd: false });
    expect(host.of('drawing tokens').at(-1)).toMatchObject({ done: 2, total: 2 });
  });

  test('an Arrow file counts its bytes and the model’s, and where it is stopped there is none', async () => {
    const host = new Host();
    const model = await host.open(backend);
    const run = await model.start(TOKENS).toEnd();
    const stop = host.begin(({ item }) => item === 'l_out-0' && stop.abort());
    await expect(run.trace.writeArrow('x.arrow')).rejects.toThrow(/^Cannot write x\.arrow: interrupted/);
    expect(host.written).toEqual([]);
    expectWhole(host.of("reading the model's file for its sha256"));
    host.begin();
    const size = await run.trace.writeArrow('x.arrow');
    expect(host.written).toEqual(['x.arrow']);
    const told = host.of('writing x.arrow');
    expectWhole(told);
    expect(told).toHaveLength(run.trace.entries.length);
    // The count is an estimate: arrowBytes, and the last row and the footer are not in it.
    expect(Math.abs(size / (told.at(-1)?.total ?? 0) - 1)).toBeLessThan(0.3);
  });

  test('hashing a model file can be stopped and asked for again', async () => {
    const host = new Host();
    const model = await host.open(backend);
    host.begin().abort();
    await expect(model.sha256()).rejects.toThrow(/for its sha256: interrupted/);
    host.begin();
    expect(await model.sha256()).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe.skipIf(noAdapter !== null)('the upload of weights', () => {
  /** About 13 MB: more than one piece of 1 MiB for most weights. */
  const large = { nLayer: 2, nEmbd: 512, nHead: 8, nHeadKv: 8, nFf: 1024 } as const;
  const UPLOAD = 'uploading weights';

  test('counts bytes before the first step, and once', async () => {
    const host = new Host();
    const model = await host.open('webgpu', large);
    host.begin();
    const run = await model.start(TOKENS).toEnd();
    const told = host.of(UPLOAD);
    expectWhole(told);
    const names = new Set(told.map(({ item }) => item));
    const sizes = [...model.gguf.tensors.values()].filter(({ name }) => names.has(name));
    expect(told.at(-1)?.total).toBe(sizes.reduce((sum, { byteLength }) => sum + byteLength, 0));
    expect(names.size).toBe(model.gguf.tensors.size);
    expect(host.told.findIndex(({ task }) => task === 'running')).toBe(told.length);
    host.begin();
    await model.start(TOKENS).toEnd();
    expect(host.of(UPLOAD)).toEqual([]);
    run.close();
  });

  test('stops in the middle of a weight, and the next move has the same bits as one that was not stopped', async () => {
    const host = new Host();
    const whole = await (await host.open('webgpu', large)).start(TOKENS).toEnd();
    const run = (await host.open('webgpu', large)).start(TOKENS);
    for (let i = 0; i < 6; i++) {
      let left = 2 * i;
      const stop = host.begin(() => left-- <= 0 && stop.abort());
      await expect(run.toEnd()).rejects.toThrow(/interrupted before embd; the next move goes on/);
      expect(host.of('running')).toEqual([]);
    }
    host.begin();
    await run.toEnd();
    for (const name of whole.trace.names) {
      expect((await run.tensor(name)).data, name).toEqual((await whole.tensor(name)).data);
    }
  });

  test('that one run stops goes on for another that waits for the same weight', async () => {
    const host = new Host();
    const model = await host.open('webgpu', large);
    const stop = new AbortController();
    const stopped = model.start(TOKENS).toEnd({ signal: stop.signal, onProgress: () => stop.abort() });
    const other = model.start(TOKENS).toEnd();
    await expect(stopped).rejects.toThrow(InterruptedError);
    expect((await other).next).toBeNull();
  });
});

test('the f64 reference gives the event loop a turn inside a long step, and stops there', async () => {
  const host = new Host();
  // result_output is 0.5 billion products, seconds of computing.
  const model = await host.open('reference', { nLayer: 1, nEmbd: 512, nHead: 8, nHeadKv: 8, nFf: 64, nVocab: 16_000 });
  const run = model.start(
    Array.from({ length: 64 }, (_, i) => 3 + i),
    { select: 'none', statistics: false },
  );
  await run.to('result_norm');
  const stop = host.begin();
  setTimeout(() => stop.abort(), 0);
  await expect(run.toEnd()).rejects.toThrow(/interrupted before result_output/);
  expect(host.told).toEqual([]);
  expect(run.next?.name).toBe('result_output');
});
