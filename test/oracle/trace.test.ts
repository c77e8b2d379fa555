/** A capture of llama.cpp is a trace like any other: its rows, its axes, its manifest, and where its values lie. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rmsGrowth } from '../../src/charts/rms_growth.ts';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { randomModel } from '../../src/gguf/random_model.ts';
import { openModel, readArrow } from '../../src/node/index.ts';
import { f32Twin, type LlamaCpp, llamaCpp, type OracleTrace, oracleAvailable } from '../../src/oracle/index.ts';
import { OracleProcess } from '../../src/oracle/process.ts';
import type { Progress } from '../../src/platform.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import { relativeRmsError } from '../engine/models.ts';
import { type Shape, writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();
const SHAPE: Shape = { nLayer: 2, nHead: 5, nHeadKv: 1, headDim: 40, nFf: 416 };
const IDS = [1, 40, 270, 99, 262, 263, 7, 265, 264, 12, 271, 33];
const N = IDS.length;

/** The row of `token` in every tensor that has a token axis, by name. */
async function rowsOf(trace: OracleTrace, pass: number, token: number): Promise<Map<string, Float32Array>> {
  const rows = new Map<string, Float32Array>();
  for (const name of trace.names) {
    const tensor = await trace.tensor(name, { pass });
    const ranges = tensor.dims.map((dim) => (dim === 'token' ? token : null));
    rows.set(name, tensor.slice(...ranges).data);
  }
  return rows;
}

/** Files without a name that this process holds open. */
function namelessFiles(): string[] {
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // The folder's own.
    }
  });
  return open.filter((path) => /layerscope-\S+ \(deleted\)$/.test(path));
}

describe.skipIf(missing !== null)(`a trace of llama.cpp${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-oracle-trace-'));
  const file = join(folder, 'random.gguf');
  let oracle: LlamaCpp;
  let trace: OracleTrace;

  beforeAll(async () => {
    process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
    writeRandomModel(file, SHAPE, 1);
    oracle = llamaCpp(file);
    trace = await oracle.trace(IDS);
  });
  afterAll(async () => {
    await trace.close();
    await oracle.close();
    rmSync(folder, { recursive: true });
  });

  const data = async (name: string) => (await trace.tensor(name)).data;

  describe('its tensors', () => {
    it('are those of the name table in their shapes, with 5 heads, 1 KV head and head dim 40', () => {
      const layer: Record<string, number[]> = {
        attn_norm: [N, 200],
        Qcur: [N, 5, 40],
        Kcur: [N, 1, 40],
        Vcur: [N, 1, 40],
        Qcur_rope: [N, 5, 40],
        Kcur_rope: [N, 1, 40],
        kq: [5, N, N],
        kq_soft_max: [5, N, N],
        kqv_out: [N, 5, 40],
        attn_out: [N, 200],
        ffn_inp: [N, 200],
        ffn_norm: [N, 200],
        ffn_gate: [N, 416],
        ffn_up: [N, 416],
        ffn_swiglu: [N, 416],
        ffn_out: [N, 200],
        l_out: [N, 200],
      };
      const wanted: Record<string, number[]> = { embd: [N, 200], result_norm: [N, 200], result_output: [N, 276] };
      for (const [name, shape] of Object.entries(layer)) for (const i of [0, 1]) wanted[`${name}-${i}`] = shape;
      expect(Object.fromEntries(trace.entries.map(({ name, shape }) => [name, shape]))).toEqual(wanted);
    });

    it('have the names, axes, ops and aliases that the steps of a run have', async () => {
      const model = await openModel(file, { backend: 'reference' });
      const run = await model.start(IDS).toEnd();
      const described = (rows: OracleTrace['entries']) =>
        rows
          .filter(({ op }) => op !== 'silu') // Fused there.
          .map(({ name, dims, op, layer, hook, hf, pass, pos0, shape }) =>
            JSON.stringify({ name, dims, op, layer, hook, hf, pass, pos0, shape }),
          )
          .sort();
      expect(described(trace.entries)).toEqual(described(run.trace.entries));
      run.close();
      await model.close();
    });

    it('carry the type that llama.cpp has them in, its own words for the node, and the statistics of their values', async () => {
      for (const row of trace.entries) {
        expect(row.srcDtype).toBe('f32');
        expect(row.statistics, row.name).toEqual(statisticsOf(await data(row.name)));
      }
      const rope = trace.entries.find(({ name }) => name === 'Qcur_rope-1');
      expect(rope?.step).toBe('Qcur-1:ROPE:0');
      expect(trace.entries.map(({ seq }) => seq)).toEqual(trace.entries.map((_, i) => i));
    });

    it('are found by the names of TransformerLens and Hugging Face', async () => {
      const { name } = await trace.tensor('blocks.1.hook_resid_post');
      expect(name).toBe('l_out-1');
      expect(trace.select('model.layers.*.mlp.up_proj').map((row) => row.name)).toEqual(['ffn_up-0', 'ffn_up-1']);
    });

    it('tell a product from the same with its bias', async () => {
      const biased = join(folder, 'bias.gguf');
      writeRandomModel(biased, { nLayer: 1, nHead: 4, nHeadKv: 2, headDim: 16, nFf: 96, bias: true }, 3);
      const llama = llamaCpp(biased);
      const found = await llama.trace([1, 5, 9]);
      await llama.close();
      for (const [name, width] of [
        ['Qcur', 64],
        ['Kcur', 32],
        ['Vcur', 32],
        ['attn_out', 64],
      ] as const) {
        const before = await found.tensor(`${name}_nobias-0`);
        const after = await found.tensor(`${name}-0`);
        expect(before.shape, name).toEqual(after.shape);
        const bias = after.sub(before).data;
        const [later, earlier] = [bias.subarray(width), bias.subarray(0, -width)];
        expect(relativeRmsError(later, earlier), `${name}: every token has the same`).toBeLessThan(1e-5);
      }
      const model = await openModel(biased, { backend: 'reference' });
      const steps = model.steps.map(({ name }) => name).filter((name) => name !== 'ffn_silu-0');
      expect([...found.names].sort()).toEqual(steps.sort());
      await found.close();
      await model.close();
    });

    it('are laid out so that attention follows from queries, keys and values', async () => {
      const [q, k, v] = [await data('Qcur_rope-1'), await data('Kcur_rope-1'), await data('Vcur-1')];
      const pattern = await data('kq_soft_max-1');
      const [nHead, dim] = [5, 40];
      const scores: number[] = [];
      const out = new Float32Array(N * nHead * dim);
      for (let head = 0; head < nHead; head++) {
        for (let t = 0; t < N; t++) {
          for (let key = 0; key < N; key++) {
            let dot = 0;
            for (let d = 0; d < dim; d++) dot += (q[(t * nHead + head) * dim + d] ?? 0) * (k[key * dim + d] ?? 0);
            scores.push(dot);
            const weight = pattern[(head * N + t) * N + key] ?? 0;
            for (let d = 0; d < dim; d++) out[(t * nHead + head) * dim + d]! += weight * (v[key * dim + d] ?? 0);
          }
        }
      }
      // Sums of 40 and 12 products in f32 against f64: 4·2⁻²⁴·√40; measured 1.2e-7 and 3.9e-8.
      expect(relativeRmsError(await data('kq-1'), Float32Array.from(scores))).toBeLessThan(1.6e-6);
      expect(relativeRmsError(await data('kqv_out-1'), out)).toBeLessThan(1.6e-6);
    });

    it('have attention rows that sum to 1 over the keys that exist, and nothing for keys after the token', async () => {
      const pattern = await data('kq_soft_max-0');
      for (let row = 0; row < 5 * N; row++) {
        const keys = pattern.subarray(row * N, (row + 1) * N);
        expect(keys.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
        expect(keys.subarray((row % N) + 1).every((value) => value === 0)).toBe(true);
      }
    });

    it('are the same to 1e-5 in prefill and decode', async () => {
      // Measured: at most 3.7e-7.
      const cut = await oracle.trace(IDS, { passes: [N - 2, 1, 1] });
      const wanted = await rowsOf(trace, 0, N - 1);
      const found = await rowsOf(cut, 2, 0);
      expect([...found.keys()]).toEqual([...wanted.keys()]);
      for (const [name, row] of wanted) {
        // A decode step sees one key more than the row of a prefill has before its token.
        expect(relativeRmsError(found.get(name) ?? new Float32Array(), row), name).toBeLessThan(1e-5);
      }
      const starts = cut.entries.filter(({ name }) => name === 'embd').map(({ pass, pos0 }) => [pass, pos0]);
      expect(starts).toEqual([
        [0, 0],
        [1, N - 2],
        [2, N - 1],
      ]);
      await cut.close();
    });

    it('end in the logits', async () => {
      expect((await oracle.logits(IDS)).data).toEqual(await data('result_output'));
    });
  });

  describe('nodes', () => {
    it("are chosen by our names, their aliases or llama.cpp's names", async () => {
      const names = async (nodes: string | RegExp | string[]) => {
        const chosen = await oracle.trace(IDS, { nodes });
        await chosen.close();
        return [chosen.names, chosen.unmapped.names];
      };
      expect(await names('{Qcur_rope,l_out}-*')).toEqual([['Qcur_rope-0', 'l_out-0', 'Qcur_rope-1', 'l_out-1'], []]);
      expect(await names(['blocks.1.hook_resid_post', 'kqv-1'])).toEqual([['l_out-1'], ['kqv-1:MUL_MAT:0']]);
      expect(await names(/^kqv-1$/g)).toEqual([[], ['kqv-1:MUL_MAT:0']]);
      await expect(names('l_out-9')).rejects.toThrow(
        /^Cannot trace .* in llama\.cpp: no node is chosen by l_out-9; wanted names such as l_out-0/,
      );
    });

    it('without a name of ours are kept apart, by name, op and occurrence', async () => {
      const rows = trace.unmapped.entries.filter(({ layer }) => layer === 1);
      expect(rows.map(({ name, op, shape }) => ({ name, op, shape }))).toEqual([
        { name: 'norm-1:RMS_NORM:0', op: 'rms_norm', shape: [N, 200] },
        { name: 'kqv-1:MUL_MAT:0', op: 'mul_mat', shape: [5, N, 40] },
        { name: 'norm-1:RMS_NORM:1', op: 'rms_norm', shape: [N, 200] },
      ]);
      const norm = await trace.unmapped.tensor('norm-1:RMS_NORM:0');
      expect(statisticsOf(norm.slice(0).data).rms).toBeCloseTo(1, 4);
      expect(trace.end).toEqual({ tokens: IDS, unreadable: [] });
    });

    it('that llama.cpp fills in itself are kept: ids, positions, the mask', async () => {
      const cut = await oracle.trace(IDS, { passes: [N - 1, 1] });
      const input = async (name: string, pass: number) => (await cut.unmapped.tensor(name, { pass })).data;
      expect([...(await input('inp_tokens', 0))]).toEqual(IDS.slice(0, -1));
      expect([...(await input('inp_pos', 0))]).toEqual(IDS.slice(0, -1).map((_, i) => i));
      expect([...(await input('inp_tokens', 1))]).toEqual([IDS.at(-1)]);
      expect([...(await input('inp_pos', 1))]).toEqual([N - 1]);
      const mask = cut.unmapped.entries.find(({ name, pass }) => name === 'KQ_mask' && pass === 0);
      expect(mask).toMatchObject({ op: 'input', srcDtype: 'f32', shape: [N - 1, 256] });
      const values = await input('KQ_mask', 0);
      const isSeen = Array.from(values, (value, i) => i % 256 <= Math.floor(i / 256) === (value === 0));
      expect(isSeen.every(Boolean)).toBe(true);
      expect(values.every((value) => value === 0 || value === Number.NEGATIVE_INFINITY)).toBe(true);
      await cut.close();
    });
  });

  describe('as one of several traces', () => {
    it('it has the manifest of a run over the same model and tokens, but for who ran it', async () => {
      const model = await openModel(file, { backend: 'reference' });
      await model.sha256();
      const run = model.start('the ball', { bos: true });
      const theirs = llamaCpp(model);
      const { prompt } = run.trace.manifest;
      const beside = await theirs.trace(run.tokens, prompt === undefined ? {} : { prompt });
      const { producer, version, backend, adapter, plan, precision, date, ...same } = run.trace.manifest;
      expect(beside.manifest).toMatchObject(same);
      expect(beside.manifest).toMatchObject({ producer: 'llama.cpp', precision: 'f32', passes: [3], threads: 1 });
      await beside.close();
      await theirs.close();
      await model.close();
    });

    it('charts take it as a reference', async () => {
      const model = await openModel(file, { backend: 'reference' });
      const run = await model.start(IDS).toEnd();
      const { description } = await rmsGrowth(run, { reference: trace });
      expect(description).toMatch(/relative RMS error is at most \S+e-7/);
      run.close();
      await model.close();
    });

    it('it is written as an Arrow trace, and read back bit for bit', async () => {
      const path = join(folder, 'llama_cpp.arrow');
      const told: Progress[] = [];
      const size = await trace.writeArrow(path, { onProgress: (progress) => told.push(progress) });
      expect(size).toBe(readFileSync(path).length);
      expect(told.at(-1)).toMatchObject({ item: 'result_output', done: told.at(-1)?.total, unit: 'bytes' });
      const read = await readArrow(path);
      expect(read.manifest).toEqual(trace.manifest);
      expect(read.end).toEqual(trace.end);
      expect(read.names).toEqual(trace.names);
      for (const name of trace.names) expect(await read.tensor(name), name).toEqual(await trace.tensor(name));
      await read.close();

      const stopped = join(folder, 'stopped.arrow');
      await expect(trace.writeArrow(stopped, { signal: AbortSignal.abort() })).rejects.toMatchObject({
        name: 'InterruptedError',
      });
      expect(existsSync(stopped)).toBe(false);

      await trace.unmapped.writeArrow(path);
      const others = await readArrow(path);
      expect(others.names).toEqual(trace.unmapped.names);
      await others.close();
    });

    it('two captures write the same bytes', async () => {
      vi.useFakeTimers({ toFake: ['Date'], now: 0 });
      try {
        const files = await Promise.all(
          ['one', 'two'].map(async (name) => {
            const llama = llamaCpp(file);
            const captured = await llama.trace(IDS, { passes: [N - 1, 1] });
            const paths = [join(folder, `${name}.arrow`), join(folder, `${name}-nodes.arrow`)] as const;
            await captured.writeArrow(paths[0]);
            await captured.unmapped.writeArrow(paths[1]);
            await captured.close();
            await llama.close();
            return paths.map((path) => readFileSync(path));
          }),
        );
        expect(files[0]).toEqual(files[1]);
      } finally {
        vi.useRealTimers();
      }
    });

    it('an F32 twin says which model its weights are of', async () => {
      const twin = llamaCpp(await f32Twin(file));
      const captured = await twin.trace(IDS, { nodes: 'embd' });
      expect(captured.manifest).toMatchObject({ twinOf: trace.manifest.model, quantisation: 'F32' });
      await captured.close();
      await twin.close();
    });
  });

  describe('its values', () => {
    it('lie in a file without a name, which is gone when the trace is closed, and stay when llama.cpp is', async () => {
      const temporary = join(folder, 'temporary');
      mkdirSync(temporary);
      vi.stubEnv('TMPDIR', temporary);
      const llama = llamaCpp(file);
      const captured = await llama.trace(IDS, { nodes: 'l_out-*' });
      await llama.close();
      vi.unstubAllEnvs();
      expect(readdirSync(temporary)).toEqual([]);
      expect((await captured.tensor('l_out-1')).data).toEqual(await data('l_out-1'));
      await captured.close();
      await expect(captured.tensor('l_out-1')).rejects.toThrow(
        'Cannot read tensor l_out-1 of llama.cpp: its trace was closed; trace again',
      );
    });

    it.skipIf(process.platform !== 'linux')('take no memory, however many there are', async () => {
      const wide = join(folder, 'wide.gguf');
      const shape = { nLayer: 1, nEmbd: 64, nHead: 2, nHeadKv: 2, nFf: 64, nVocab: 32_000 };
      writeFileSync(wide, await joinBytes(randomModel({ ...shape, type: 'F32', seed: 1 })));
      const llama = llamaCpp(wide);
      await llama.logits(Array.from({ length: 100 }, () => 5));
      const child = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').at(-1);
      const peak = () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1]) * 1024;
      const [childBefore, parentBefore] = [peak(), process.memoryUsage().rss];
      const passes = Array.from({ length: 20 }, () => 100);
      const captured = await llama.trace(
        Array.from({ length: 2000 }, (_, i) => i),
        { passes },
      );
      const bytes = captured.entries.reduce((sum, { statistics }) => sum + 4 * statistics.n, 0);
      expect(bytes).toBeGreaterThan(260e6);
      // Measured: 26 MB there, for a longer cache, the longest value and the statistics of all, and 1 MB here.
      expect(peak() - childBefore).toBeLessThan(bytes / 4);
      expect(process.memoryUsage().rss - parentBefore).toBeLessThan(bytes / 4);
      await captured.close();
      await llama.close();
    });

    it.skipIf(process.platform !== 'linux')('are let go of when nothing leads to the trace any more', async () => {
      setFlagsFromString('--expose-gc');
      const collect: () => void = runInNewContext('gc');
      const newFiles = await (async () => {
        const before = namelessFiles();
        const forgotten = await oracle.trace(IDS, { nodes: 'embd' });
        expect(forgotten.names).toEqual(['embd']);
        return namelessFiles().filter((path) => !before.includes(path));
      })();
      expect(newFiles.length).toBe(1);
      await vi.waitFor(
        () => {
          collect();
          expect(namelessFiles()).not.toContain(newFiles[0]);
        },
        { timeout: 10_000, interval: 50 },
      );
    });

    it.skipIf(process.platform !== 'linux')(
      'that find no room are one clear error, and the next capture works',
      async () => {
        const session = { file, threads: 1, contextLength: null };
        const llama = new OracleProcess({ bins: null, session });
        const request = { ids: IDS, passes: [N], select: null };
        const spool = join(folder, 'full');
        symlinkSync('/dev/full', spool); // Its name is taken away, so it must not be the device's own.
        await expect(llama.call('trace', { ...request, spool })).rejects.toThrow(
          /^Cannot keep llama\.cpp's values: the disk is full; make room, trace fewer nodes, or set TMPDIR \S+ .* room$/,
        );
        const room = join(folder, 'room');
        writeFileSync(room, '');
        expect((await llama.call('trace', { ...request, spool: room })).nodes.length).toBeGreaterThan(30);
        llama.close();
        expect(readdirSync(folder).filter((name) => name === 'full' || name === 'room')).toEqual([]);
      },
    );
  });

  it('tells how far it is, layer by layer, and stops when it is told to', async () => {
    const told: Progress[] = [];
    const watched = await oracle.trace(IDS, { passes: [N - 1, 1], onProgress: (progress) => told.push(progress) });
    await watched.close();
    const layers = told.filter(({ unit }) => unit === 'layers').map(({ item, done, total }) => [item, done, total]);
    expect(layers).toEqual([
      ['l_out-0', 1, 4],
      ['l_out-1', 2, 4],
      ['l_out-0', 3, 4],
      ['l_out-1', 4, 4],
    ]);
    const interrupted = {
      name: 'InterruptedError',
      message: expect.stringMatching(/^Cannot finish trace on .*: interrupted/),
    };
    await expect(oracle.trace(IDS, { signal: AbortSignal.abort() })).rejects.toMatchObject(interrupted);
    const controller = new AbortController();
    const long = Array.from({ length: 1000 }, () => 1);
    const stopped = oracle.trace(long, {
      passes: long,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject(interrupted);
    const again = await oracle.trace(IDS, { nodes: 'embd' });
    expect(again.names).toEqual(['embd']);
    await again.close();
  });
});
