import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { joinBytes } from '../../src/gguf/bytes.ts';
import { ggufPieces } from '../../src/gguf/writer.ts';
import { f32Twin, type LlamaCpp, llamaCpp, oracleAvailable, quantize } from '../../src/oracle/index.ts';
import { librariesFolder } from '../../src/oracle/package.ts';
import { OracleProcess } from '../../src/oracle/process.ts';
import { relativeRmsError } from '../engine/models.ts';
import { seeded } from '../seeded.ts';
import { type Shape, writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();
const SHAPE: Shape = { nLayer: 2, nHead: 5, nHeadKv: 1, headDim: 40, nFf: 416 };
const IDS = [1, 40, 270, 99, 262, 263, 7, 265, 264, 12, 271, 33];

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

  it('gives logits for every token, and greedily continues with the largest', async () => {
    const logits = await oracle.logits(IDS);
    expect(logits.shape).toEqual([IDS.length, 276]);
    expect(logits.dims).toEqual(['token', 'vocab']);
    const last = logits.data.subarray(-276);
    expect((await oracle.greedy(IDS, 3))[0]).toBe(last.indexOf(Math.max(...last)));
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
      expect(relativeRmsError(exact, await logits(small))).toBeLessThan(0.03);
      const rounded = relativeRmsError(await logits(q8), exact);
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

    it('names what llama.cpp has against a model, and goes on with the next', async () => {
      const unknown = join(folder, 'unknown.gguf');
      const metadata = { 'general.architecture': ['string', 'banana'] } as const;
      writeFileSync(unknown, await joinBytes(ggufPieces({ metadata, tensors: [] })));
      const model = llamaCpp(unknown);
      await expect(model.trace(IDS)).rejects.toThrow(
        /^Cannot load .*unknown\.gguf in llama.cpp: it refused .*; it said ".*unknown model architecture: 'banana'/,
      );
      rmSync(unknown);
      copyFileSync(file, unknown);
      expect((await model.logits(IDS)).shape).toEqual([IDS.length, 276]);
      await model.close();
    });

    it.skipIf(process.platform !== 'linux')('says that its process was killed, and goes on in a new one', async () => {
      const model = llamaCpp(file);
      await model.versions();
      const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean);
      const long = Array.from({ length: 1000 }, () => 1);
      const tracing = model.trace(long, {
        passes: long,
        onProgress: () => process.kill(Number(children.at(-1)), 'SIGKILL'),
      });
      await expect(tracing).rejects.toThrow(
        /^Cannot finish trace on .*: the process of llama.cpp was ended by SIGKILL/,
      );
      const trace = await model.trace(IDS, { nodes: 'embd' });
      expect(trace.names).toEqual(['embd']);
      await trace.close();
      await model.close();
    });

    it('names the package to install, or the systems that there are packages for', () => {
      const arch = vi.spyOn(process, 'arch', 'get').mockReturnValue('arm64');
      const platform = vi.spyOn(process, 'platform', 'get').mockReturnValue('linux');
      expect(oracleAvailable()).toMatch(
        /^Cannot load llama.cpp: the optional package @node-llama-cpp\/linux-arm64 is not installed; run "npm install --no-save @node-llama-cpp\/linux-arm64@\S+", or .*LAYERSCOPE_LLAMA_CPP$/,
      );
      platform.mockReturnValue('aix');
      expect(oracleAvailable()).toMatch(
        /^Cannot load llama.cpp: there is no .* package for aix-arm64; wanted one of linux-x64, /,
      );
      arch.mockRestore();
      platform.mockRestore();
    });

    it('says what to do where koffi does not load', async () => {
      const hook = join(folder, 'no_koffi.mjs');
      const register = join(folder, 'register.mjs');
      const resolve = "if (name === 'koffi') throw new Error('Cannot find package koffi'); return next(name, context);";
      writeFileSync(hook, `export function resolve(name, context, next) { ${resolve} }`);
      writeFileSync(register, `import { register } from 'node:module'; register(${JSON.stringify(`file://${hook}`)});`);
      vi.stubEnv('NODE_OPTIONS', `--import=${register}`);
      const model = llamaCpp(file);
      await expect(model.tokenize('x')).rejects.toThrow(
        /^Cannot load llama.cpp: the process of llama.cpp ended with code 1; it said ".*koffi.*"; koffi .* must load, so install the packages again: npm ci$/,
      );
      vi.unstubAllEnvs();
      expect(await model.tokenize('the ball')).toHaveLength(3);
      await model.close();
    });

    it('takes the libraries of a folder that the user names, for one model or for all', async () => {
      const bins = librariesFolder();
      vi.stubEnv('LAYERSCOPE_LLAMA_CPP', folder);
      expect(oracleAvailable()).toMatch(
        /^Cannot load llama.cpp: .* holds no .* library; wanted .*; releases that were tried: /,
      );
      const model = llamaCpp(file, { bins });
      expect(await model.versions()).toMatchObject({ package: null, backend: expect.stringContaining('cpu') });
      await model.close();
      vi.stubEnv('LAYERSCOPE_LLAMA_CPP', bins);
      const other = llamaCpp(file);
      expect((await other.versions()).package).toBeNull();
      await other.close();
      vi.unstubAllEnvs();
    });

    it('names the folder that holds no libraries', async () => {
      expect(oracleAvailable(folder)).toMatch(/^Cannot load llama.cpp: .* holds no .* library; wanted/);
      await expect(llamaCpp(file, { bins: folder }).tokenize('x')).rejects.toThrow('Cannot load llama.cpp');
    });
  });
});
