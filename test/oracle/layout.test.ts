import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contiguous } from '../../src/oracle/capture.ts';
import { oracleAvailable } from '../../src/oracle/index.ts';
import { GGML_TYPE_F16, type Layouts, probeLayouts, readTensorHeader } from '../../src/oracle/layout.ts';
import { bytesAt, loadNative, type Native, type Pointer } from '../../src/oracle/native.ts';
import { findLibraries, librariesFolder } from '../../src/oracle/package.ts';
import { Session } from '../../src/oracle/session.ts';
import { writeRandomModel } from './random_model.ts';

const missing = oracleAvailable();

describe.skipIf(missing !== null)(`layouts of llama.cpp${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-layout-'));
  let native: Native;
  let layouts: Layouts;

  beforeAll(() => {
    const libraries = findLibraries(librariesFolder());
    native = loadNative(libraries);
    native.llama_log_set(native.ignore, null);
    native.ggml_backend_load(libraries.cpu.find((path) => path.includes('cpu-x64')) ?? (libraries.cpu[0] as string));
    layouts = probeLayouts(native);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const headerOf = (tensor: Pointer) =>
    readTensorHeader(new DataView(bytesAt(tensor, layouts.tensor.size).buffer), layouts.tensor);

  it('a tensor read through the probed offsets agrees with ggml_nelements, ggml_nbytes and ggml_element_size', () => {
    const context = native.ggml_init({ mem_size: 1 << 20, mem_buffer: null, no_alloc: false });
    const tensor = native.ggml_new_tensor_4d(context, GGML_TYPE_F16, 7, 3, 5, 2);
    const header = headerOf(tensor);
    expect(header).toMatchObject({ type: GGML_TYPE_F16, ne: [7, 3, 5, 2], nb: [2, 14, 42, 210] });
    expect(Number(native.ggml_nelements(tensor))).toBe(7 * 3 * 5 * 2);
    expect(Number(native.ggml_nbytes(tensor))).toBe(420);
    expect(Number(native.ggml_element_size(tensor))).toBe(header.nb[0]);
    native.ggml_free(context);
  });

  it('a node names what it is computed from, and an input is one where ggml_set_input made it so', () => {
    const context = native.ggml_init({ mem_size: 1 << 20, mem_buffer: null, no_alloc: false });
    const [a, b] = [1, 2].map(() => native.ggml_new_tensor_4d(context, GGML_TYPE_F16, 7, 3, 5, 2)) as [bigint, bigint];
    native.ggml_set_input(b);
    expect(headerOf(a)).toMatchObject({ isInput: false, sources: [] });
    expect(headerOf(b)).toMatchObject({ isInput: true, sources: [] });
    expect(headerOf(native.ggml_add(context, b, a))).toMatchObject({ isInput: false, sources: [b, a] });
    native.ggml_free(context);
  });

  it("params written through the probed offsets come back from llama.cpp's getters", () => {
    const file = join(folder, 'random.gguf');
    writeRandomModel(file, { nLayer: 1, nHead: 2, nHeadKv: 1, headDim: 32, nFf: 64 }, 4);
    const silent: Native = { ...native, llama_log_set: () => {} };
    const session = new Session(silent, layouts, { file, threads: 3, contextLength: 768 });
    const found = session.withContext({ positions: 700, threads: 3, kind: 'plain' }, (context) => [
      native.llama_n_ctx(context),
      native.llama_n_batch(context),
      native.llama_n_ubatch(context),
      native.llama_n_seq_max(context),
      native.llama_n_threads(context),
      native.llama_n_threads_batch(context),
    ]);
    expect(found).toEqual([768, 768, 768, 1, 3, 3]);
  });

  it.each(['llama_model', 'llama_context', 'llama_model_quantize'])(
    'other defaults of %s_params are refused',
    (struct) => {
      const changed = { ...native, [`${struct}_default_params`]: () => ({ b: new BigUint64Array(128) }) };
      expect(() => probeLayouts(changed as Native)).toThrow(
        new RegExp(
          `^Cannot use this llama.cpp: the layout of ${struct}_params is not a known one .*tried: .*v0\\.5\\.0`,
        ),
      );
    },
  );

  it('a padded, permuted tensor becomes contiguous by its strides', () => {
    // Two rows of three numbers, rows 16 bytes apart, seen with its axes swapped.
    const bytes = new Uint8Array(Float32Array.of(1, 2, 3, Number.NaN, 4, 5, 6, Number.NaN).buffer);
    const swapped = { type: 0, ne: [2, 3, 1, 1], nb: [16, 4, 32, 32] } as const;
    expect(contiguous(bytes, swapped)).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
    const halves = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001).buffer);
    expect(contiguous(halves, { type: 1, ne: [3, 1, 1, 1], nb: [2, 6, 6, 6] })).toEqual(
      Float32Array.of(1, -2, 2 ** -24),
    );
  });
});
