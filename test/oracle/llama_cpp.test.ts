import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  f32Twin,
  type LlamaCpp,
  llamaCpp,
  type OracleTrace,
  oracleAvailable,
  quantize,
} from '../../src/oracle/index.ts';
import { OracleProcess } from '../../src/oracle/process.ts';
import { seeded } from '../seeded.ts';
import { type Shape, writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();
const SHAPE: Shape = { nLayer: 2, nHead: 5, nHeadKv: 1, headDim: 40, nFf: 416 };
const IDS = [1, 40, 270, 99, 262, 263, 7, 265, 264, 12, 271, 33];

/** The rows of `token` in every tensor that has a token axis, by name. */
function rowsOf(trace: OracleTrace, pass: number, token: number): Map<string, number[]> {
  const tensors = trace.passes[pass]?.tensors ?? new Map();
  return new Map(
    [...tensors].map(([name, { shape, data }]) => {
      const scores = name.startsWith('kq') && !name.startsWith('kqv');
      if (!scores)
        return [name, [...data.subarray((token * data.length) / shape[0], ((token + 1) * data.length) / shape[0])]];
      const [heads, tokens, keys] = shape;
      const rows: number[] = [];
      for (let head = 0; head < heads; head++) {
        const start = (head * tokens + token) * keys;
        rows.push(...data.subarray(start, start + keys));
      }
      return [name, rows];
    }),
  );
}

/** RMS of the difference over RMS of `wanted`. */
function relativeRms(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += ((found[i] as number) - (wanted[i] as number)) ** 2;
    size += (wanted[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}

describe.skipIf(missing !== null)(`llama.cpp${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-oracle-'));
  const file = join(folder, 'random.gguf');
  let oracle: LlamaCpp;

  beforeAll(() => {
    writeRandomModel(file, SHAPE, 1);
    oracle = llamaCpp(file);
  });
  afterAll(async () => {
    await oracle.close();
    rmSync(folder, { recursive: true });
  });

  describe('tokens', () => {
    it('merges pieces by score and falls back to bytes', async () => {
      const ids = await oracle.tokenize('the ball日ü');
      expect(await oracle.pieces(ids.slice(0, 4))).toEqual(['<s>', ' the', ' ball', '日']);
      expect(await oracle.pieceBytes(ids.slice(4))).toEqual([Uint8Array.of(0xc3), Uint8Array.of(0xbc)]);
    });

    it('reads special tokens only where it is told to', async () => {
      expect(await oracle.tokenize('</s>', { addSpecial: false, parseSpecial: true })).toEqual([2]);
      expect(await oracle.tokenize('</s>', { addSpecial: false, parseSpecial: false })).not.toContain(2);
    });

    it('gives a text back from its ids, for 2,000 seeded texts in one call', async () => {
      const random = seeded(7);
      const texts = Array.from({ length: 2000 }, () =>
        String.fromCodePoint(
          ...Array.from({ length: 1 + Math.floor(random() * 40) }, () => 1 + Math.floor(random() * 0xd000)),
        ),
      );
      const all = await oracle.tokenizeAll(texts, { addSpecial: false, parseSpecial: false });
      for (const i of [0, 999, 1999]) expect(await oracle.detokenize(all[i] ?? [])).toBe(texts[i]);
      const bytes = await oracle.pieceBytes(all.flat());
      // SPM puts one space before each text.
      expect(Buffer.concat(bytes).toString('utf8')).toBe(texts.map((text) => ` ${text}`).join(''));
    });
  });

  describe('trace', () => {
    it('has every tensor of the name table in its shape, with 5 heads, 1 KV head and head dim 40', async () => {
      const { tensors } = await oracle.trace(IDS);
      const n = IDS.length;
      const layer: Record<string, number[]> = {
        attn_norm: [n, 200],
        Qcur: [n, 5, 40],
        Kcur: [n, 1, 40],
        Vcur: [n, 1, 40],
        Qcur_rope: [n, 5, 40],
        Kcur_rope: [n, 1, 40],
        kq: [5, n, n],
        kq_soft_max: [5, n, n],
        kqv_out: [n, 5, 40],
        attn_out: [n, 200],
        ffn_inp: [n, 200],
        ffn_norm: [n, 200],
        ffn_gate: [n, 416],
        ffn_up: [n, 416],
        ffn_swiglu: [n, 416],
        ffn_out: [n, 200],
        l_out: [n, 200],
      };
      const wanted: Record<string, number[]> = { embd: [n, 200], result_norm: [n, 200], result_output: [n, 276] };
      for (const [name, shape] of Object.entries(layer)) for (const i of [0, 1]) wanted[`${name}-${i}`] = shape;
      expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]))).toEqual(wanted);
    });

    it('tells a product from the same with its bias', async () => {
      const biased = join(folder, 'bias.gguf');
      writeRandomModel(biased, { nLayer: 1, nHead: 4, nHeadKv: 2, headDim: 16, nFf: 96, bias: true }, 3);
      const model = llamaCpp(biased);
      const { tensors } = await model.trace([1, 5, 9], { nodes: /^(attn_norm|[QKV]cur|attn_out)-0$/ });
      await model.close();
      for (const [name, width] of [
        ['Qcur', 64],
        ['Kcur', 32],
        ['Vcur', 32],
      ] as const) {
        const before = tensors.get(`${name}_nobias-0`)?.data ?? new Float32Array();
        const after = tensors.get(`${name}-0`)?.data ?? new Float32Array();
        const bias = after.map((value, i) => value - (before[i] ?? 0));
        expect(
          relativeRms(bias.subarray(width), bias.subarray(0, -width)),
          `${name}: every token has the same`,
        ).toBeLessThan(1e-5);
      }
      expect(tensors.get('attn_out-0')?.shape).toEqual([3, 64]);
    });

    it('lays queries, keys, values and scores out so that attention follows from them', async () => {
      const { tensors } = await oracle.trace(IDS);
      const data = (name: string) => tensors.get(name)?.data ?? new Float32Array();
      const [q, k, v] = [data('Qcur_rope-1'), data('Kcur_rope-1'), data('Vcur-1')];
      const [n, nHead, dim] = [IDS.length, 5, 40];
      const scores: number[] = [];
      const out = new Array<number>(n * nHead * dim).fill(0);
      for (let head = 0; head < nHead; head++) {
        for (let t = 0; t < n; t++) {
          for (let key = 0; key < n; key++) {
            let dot = 0;
            for (let d = 0; d < dim; d++) dot += (q[(t * nHead + head) * dim + d] ?? 0) * (k[key * dim + d] ?? 0);
            scores.push(dot);
            const weight = data('kq_soft_max-1')[(head * n + t) * n + key] ?? 0;
            for (let d = 0; d < dim; d++) out[(t * nHead + head) * dim + d]! += weight * (v[key * dim + d] ?? 0);
          }
        }
      }
      // Sums of 40 and 12 products in f32 against f64: 4·2⁻²⁴·√40; measured 1.2e-7 and 3.9e-8.
      expect(relativeRms(data('kq-1'), scores)).toBeLessThan(1.6e-6);
      expect(relativeRms(data('kqv_out-1'), out)).toBeLessThan(1.6e-6);
    });

    it('gives attention rows that sum to 1 over the keys that exist, and nothing to keys after the token', async () => {
      const { tensors } = await oracle.trace(IDS);
      const pattern = tensors.get('kq_soft_max-0')?.data ?? new Float32Array();
      const n = IDS.length;
      for (let row = 0; row < 5 * n; row++) {
        const keys = pattern.subarray(row * n, (row + 1) * n);
        expect(keys.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
        expect(keys.subarray((row % n) + 1).every((value) => value === 0)).toBe(true);
      }
    });

    it('gives prefill and decode the same tensors to 1e-5', async () => {
      // Measured: at most 3.7e-7.
      const whole = await oracle.trace(IDS);
      const cut = await oracle.trace(IDS, { passes: [IDS.length - 2, 1, 1] });
      const last = IDS.length - 1;
      const wanted = rowsOf(whole, 0, last);
      const found = rowsOf(cut, 2, 0);
      expect([...found.keys()]).toEqual([...wanted.keys()]);
      for (const [name, row] of wanted) expect(relativeRms(found.get(name) ?? [], row), name).toBeLessThan(1e-5);
      expect(cut.passes.map(({ pos0 }) => pos0)).toEqual([0, last - 1, last]);
    });

    it("keeps the nodes asked for, by our name or by llama.cpp's", async () => {
      const glob = await oracle.trace(IDS, { nodes: '{Qcur_rope,l_out}-*' });
      expect([...glob.tensors.keys()]).toEqual(['Qcur_rope-0', 'l_out-0', 'Qcur_rope-1', 'l_out-1']);
      const theirs = await oracle.trace(IDS, { nodes: /^kqv-1$/ });
      expect(theirs.unmapped).toMatchObject([{ name: 'kqv-1', op: 'MUL_MAT', occurrence: 0, shape: [5, 12, 40] }]);
    });

    it('ends in the logits, whose largest is the greedy choice', async () => {
      const { tensors } = await oracle.trace(IDS);
      const logits = await oracle.logits(IDS);
      expect(logits.shape).toEqual([IDS.length, 276]);
      expect(logits.data).toEqual(tensors.get('result_output')?.data);
      const last = logits.data.subarray(-276);
      expect((await oracle.greedy(IDS, 3))[0]).toBe(last.indexOf(Math.max(...last)));
    });
  });

  it('fails what was under way on close, and starts again', async () => {
    const session = { file, threads: 1, contextLength: null };
    const oracleProcess = new OracleProcess({ bins: null, session });
    const before = await oracleProcess.call('greedy', IDS, 1);
    const underWay = expect(oracleProcess.call('greedy', IDS, 200)).rejects.toThrow(
      /^Cannot finish greedy on .*: the process of llama.cpp /,
    );
    oracleProcess.close();
    expect(await oracleProcess.call('greedy', IDS, 1)).toEqual(before);
    await underWay;
    oracleProcess.close();
  });

  it('times prefill and decode', async () => {
    const { prefill, decode } = await oracle.time({ prefill: 8, decode: 4, threads: 1 });
    expect(prefill).toMatchObject({ tokens: 8, tokensPerSecond: 8 / prefill.seconds });
    expect(decode).toMatchObject({ tokens: 4, tokensPerSecond: 4 / decode.seconds });
  });

  describe('quantise', () => {
    const small = join(folder, 'small.gguf');
    beforeAll(() => writeRandomModel(small, { nLayer: 1, nHead: 2, nHeadKv: 2, headDim: 32, nFf: 96 }, 2));

    it('writes Q8_0 smaller, and its F32 twin has the same weights without rounding of activations', async () => {
      const q8 = join(folder, 'q8.gguf');
      await quantize(small, q8, 'Q8_0');
      process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
      const twin = await f32Twin(q8);
      expect(statSync(q8).size).toBeLessThan(statSync(small).size * 0.4);
      expect(statSync(twin).size).toBeGreaterThan(statSync(small).size * 0.99);
      // The twin's weights lie on Q8_0's grid, so going there and back changes nothing.
      const back = join(folder, 'back.gguf');
      await quantize(twin, back, 'Q8_0');
      const logits = async (path: string) => {
        const model = llamaCpp(path);
        const { data } = await model.logits(IDS);
        await model.close();
        return data;
      };
      const exact = await logits(twin);
      expect(await logits(await f32Twin(back))).toEqual(exact);
      // Measured: 1.6e-2 by the weights' rounding, 1.5e-2 by the activations'.
      expect(relativeRms(exact, await logits(small))).toBeLessThan(0.03);
      const rounded = relativeRms(await logits(q8), exact);
      expect(rounded).toBeGreaterThan(1e-3);
      expect(rounded).toBeLessThan(0.03);
      const made = statSync(twin).mtimeMs;
      expect(statSync(await f32Twin(q8)).mtimeMs).toBe(made);
    });

    it('leaves no half file where the input is broken', async () => {
      const broken = join(folder, 'broken.gguf');
      writeFileSync(broken, 'GGUF and nothing more');
      const output = join(folder, 'never.gguf');
      await expect(quantize(broken, output, 'Q4_0')).rejects.toThrow(/^Cannot quantise .*broken\.gguf to Q4_0/);
      expect(readdirSync(folder).filter((name) => name.startsWith('never'))).toEqual([]);
    });
  });

  it('names an output that cannot be written', async () => {
    const output = join(file, 'below-a-file.gguf');
    await expect(quantize(file, output, 'Q8_0')).rejects.toThrow(
      /^Cannot write .*below-a-file\.gguf: .*wanted a folder/,
    );
  });

  describe('errors', () => {
    it('names a missing file, and a file that is no model', async () => {
      await expect(llamaCpp('/nowhere/m.gguf').tokenize('x')).rejects.toThrow(
        'Cannot read /nowhere/m.gguf: there is no such file; check the path',
      );
      const text = join(folder, 'text.gguf');
      writeFileSync(text, 'not a model');
      const model = llamaCpp(text);
      await expect(model.tokenize('x')).rejects.toThrow(
        /^Cannot load .*text\.gguf in llama.cpp: it refused .*; it said ".+"/,
      );
      await model.close();
    });

    it('names a token id out of range, passes that do not add up, and a context that is too short', async () => {
      await expect(oracle.trace([1, 276])).rejects.toThrow('token id 276 is not in its vocabulary; wanted 0 … 275');
      await expect(oracle.trace([])).rejects.toThrow('there is no token');
      await expect(oracle.trace(IDS, { passes: [5, 5] })).rejects.toThrow('passes of 5 + 5 tokens');
      const short = llamaCpp(file, { contextLength: 4 });
      await expect(short.logits(IDS)).rejects.toThrow('12 positions exceed contextLength 4; raise contextLength');
      await short.close();
    });

    it('names the folder that holds no libraries', async () => {
      expect(oracleAvailable(folder)).toMatch(/^Cannot load llama.cpp: .* holds no .* library; wanted/);
      await expect(llamaCpp(file, { bins: folder }).tokenize('x')).rejects.toThrow('Cannot load llama.cpp');
    });
  });
});
