/**
 * The main claim: our run against llama.cpp's F32 twin agrees in every tensor, and against llama.cpp on the file as it is the
 * difference is precision: each op, on llama.cpp's own inputs and with its rounding, gives its output.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import type { Comparison } from '../../src/compare/comparison.ts';
import type { BlockTypeName } from '../../src/gguf/blocks/index.ts';
import { modelShapes, type RandomModelOptions, randomModel } from '../../src/gguf/random_model.ts';
import { openModel, readDump } from '../../src/node/index.ts';
import { f32Twin, llamaCpp, oracleAvailable, quantize } from '../../src/oracle/index.ts';
import type { Tensor } from '../../src/trace/tensor.ts';
import { noAdapter } from '../engine/models.ts';
import { graphOf, layouts, printedLog } from '../trace/dumps/printed_log.ts';

const missing = oracleAvailable() ?? noAdapter;
const isFull = process.env.LAYERSCOPE_FULL === '1';

describe.skipIf(missing !== null)(`our run and llama.cpp${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'layerscope-compare-'));
  process.env.LAYERSCOPE_CACHE = join(folder, 'cache');
  afterAll(() => rmSync(folder, { recursive: true }));

  async function against(kind: 'twin' | 'plain', file: string, tokens: readonly number[]): Promise<Comparison> {
    const model = await openModel(file, { backend: 'webgpu' });
    await model.sha256();
    const oracle = llamaCpp(kind === 'twin' ? await f32Twin(file) : model);
    const run = await model.start(tokens).toEnd();
    const theirs = await oracle.trace(tokens);
    try {
      return await compare(run, theirs);
    } finally {
      await theirs.close();
      await oracle.close();
      run.close();
      await model.close();
    }
  }

  const said = (comparison: Comparison) =>
    `${comparison}\n${comparison.refused.map(({ says }) => says).join('\n')}\n${comparison.tensors
      .filter(({ status }) => status === 'beyond')
      .slice(0, 5)
      .map(({ name, measure, worst }) => `${name} ${measure?.relativeRmsError} ${worst?.excess}`)
      .join('\n')}`;

  const shipped = ['f16', 'q8_0', 'q4_0', 'q4_k_m', 'q6_k'].map((type) => `fixtures/lily-4m-${type}.gguf`);
  const text = 'Lily gave the ball to Tom. Tom thanked';

  async function tokensOf(file: string, input: string): Promise<number[]> {
    const model = await openModel(file, { backend: 'reference' });
    const tokens = model.tokenize(input);
    await model.close();
    return tokens;
  }

  /** Ops that part from llama.cpp's, and what is left of the largest once its rounding is imitated. */
  function left({ tensors }: Comparison): { ops: number; most: number } {
    const explained = tensors.flatMap(({ isolation }) => isolation?.explained ?? []);
    return { ops: explained.length, most: Math.max(0, ...explained.map((each) => each.left)) };
  }

  test.each(shipped)('%s agrees with its F32 twin in every tensor', async (file) => {
    const comparison = await against('twin', file, await tokensOf(file, text));
    expect(comparison.verdict, said(comparison)).toBe('agree');
    expect(comparison.tensors.every(({ status }) => status === 'within' || status === 'equal')).toBe(true);
    // llama.cpp fuses silu into SWIGLU; every other step of ours is a node of theirs.
    expect(comparison.notCompared.map(({ name }) => name.replace(/\d+$/, ''))).toEqual(Array(6).fill('ffn_silu-'));
  });

  // What the imitation leaves, measured: 1.1e-7 of F16, Q8_0 and Q4_0, 3.6e-7 of the others.
  test.each(shipped)('%s differs from llama.cpp on the file as it is by rounding, op by op', async (file) => {
    const comparison = await against('plain', file, await tokensOf(file, text));
    expect(comparison.verdict, said(comparison)).toBe('precision');
    expect(comparison.firstDivergence).toBeNull();
    const { ops, most } = left(comparison);
    expect(ops).toBeGreaterThan(30);
    expect(most).toBeLessThanOrEqual(1e-6);
    expect(comparison.tensors.filter(({ isolation }) => isolation?.outcome === 'precision')).toHaveLength(ops);
  });

  const { awkward } = modelShapes;
  const random = (type: BlockTypeName): RandomModelOptions => ({ ...awkward, type, seed: 9 });
  const ids = (n: number, nVocab: number) =>
    Array.from({ length: n }, (_, i) => (i === 0 ? 1 : (i * 7919 + 31) % nVocab));

  const awkwardTypes = ['F32', 'F16', 'Q8_0', 'Q4_0'] as const;
  test.each(isFull ? awkwardTypes : (['F16', 'Q4_0'] as const))(
    'an awkward shape in %s: twin and plain',
    async (type) => {
      const file = join(folder, `awkward-${type}.gguf`);
      await writeFile(file, randomModel(random(type)));
      const twin = await against('twin', file, ids(9, awkward.nVocab));
      expect(twin.verdict, said(twin)).toBe('agree');
      const plain = await against('plain', file, ids(9, awkward.nVocab));
      expect(plain.verdict, said(plain)).toBe(type === 'F32' ? 'agree' : 'precision');
      expect(left(plain).most).toBeLessThanOrEqual(1e-6);
    },
  );

  const wide = { nLayer: 2, nEmbd: 256, nHead: 4, nHeadKv: 2, nFf: 512, nVocab: 331 };
  test.each(isFull ? (['Q4_K_M', 'Q6_K'] as const) : (['Q4_K_M'] as const))(
    'a model that llama.cpp itself quantised to %s: twin and plain',
    async (type) => {
      const [whole, file] = [join(folder, 'wide.gguf'), join(folder, `wide-${type}.gguf`)];
      await writeFile(whole, randomModel({ ...wide, type: 'F32', seed: 10 }));
      await quantize(whole, file, type);
      const twin = await against('twin', file, ids(9, wide.nVocab));
      expect(twin.verdict, said(twin)).toBe('agree');
      const plain = await against('plain', file, ids(9, wide.nVocab));
      expect(plain.verdict, said(plain)).toBe('precision');
      expect(left(plain).most).toBeLessThanOrEqual(1e-6);
    },
  );

  test.each(isFull ? (['F32', 'F16', 'Q8_0', 'Q4_0'] as const) : (['Q4_0'] as const))(
    'positions up to 2,047 in %s: the twin agrees, and what is left against the file as it is, is rounding',
    async (type) => {
      const shape = { nLayer: 1, nEmbd: 64, nHead: 2, nHeadKv: 1, nFf: 64, nVocab: 331 };
      const file = join(folder, `long-${type}.gguf`);
      await writeFile(file, randomModel({ ...shape, type, seed: 12 }));
      const twin = await against('twin', file, ids(2048, shape.nVocab));
      expect(twin.verdict, said(twin)).toBe('agree');
      const plain = await against('plain', file, ids(2048, shape.nVocab));
      expect(plain.verdict, said(plain)).toBe(type === 'F32' ? 'agree' : 'precision');
    },
    120_000,
  );

  test.each(Object.keys(layouts))(
    'a capture printed as by %s is read back as itself, as far as it goes',
    async (name) => {
      const file = 'fixtures/lily-4m-q8_0.gguf';
      const model = await openModel(file, { backend: 'reference' });
      const oracle = llamaCpp(model);
      const tokens = model.tokenize(text);
      const capture = await oracle.trace(tokens);
      const tensors = new Map<string, Tensor>();
      for (const tensor of capture.names) tensors.set(tensor, await capture.tensor(tensor));
      const path = join(folder, 'capture.log');
      await writeFile(path, printedLog(graphOf({ tensors, model, trace: capture }), layouts[name]!));
      const log = await readDump(path, { model, tokens });
      expect([...log.names].sort()).toEqual([...capture.names].sort());
      const { verdict, summary, tensors: compared } = await compare(log, capture);
      expect(verdict, summary).toBe('agree');
      for (const { name, measure, statistics } of compared) {
        // Half of the last printed digit, and what reading it as f32 rounds.
        const bound = 5e-5 + 2 ** -23 * (statistics.reference.absmax as number);
        expect(measure?.maxAbsError, name).toBeLessThanOrEqual(bound);
      }
      await capture.close();
      await oracle.close();
      await model.close();
    },
  );
});
