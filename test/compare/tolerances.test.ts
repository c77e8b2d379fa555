import { describe, expect, it } from 'vitest';
import { judge } from '../../src/compare/judge.ts';
import { measure } from '../../src/compare/measure.ts';
import {
  coarseOpTolerance,
  defaultRules,
  type Judged,
  precisionOf,
  type ToleranceRule,
  toleranceFor,
} from '../../src/compare/tolerances.ts';
import { attribution } from '../../src/engine/transforms/attribution.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { f16Accumulation } from '../../src/engine/transforms/f16_accumulation.ts';
import { lens } from '../../src/engine/transforms/lens.ts';
import type { Transform } from '../../src/engine/transforms/transform.ts';
import { halfAsFloat, halfBits } from '../../src/gguf/half.ts';
import { forward } from '../../src/llama/forward.ts';
import { openModel } from '../../src/node/index.ts';
import { nearestHalf } from '../../src/ops/nearest.ts';
import { type Manifest, RowTrace, type TraceRow } from '../../src/trace/trace.ts';
import { noAdapter, openRandom } from '../engine/models.ts';
import { normals, seeded } from '../seeded.ts';

const CLASSES = ['f32', 'ggml-f32', 'ggml-f16', 'ggml-bf16', 'ggml-q', 'f16', 'f16-sums'];

const row = (name: string, op = 'mul_mat', parts: Partial<Judged> = {}): Judged => ({
  ...{ name, op, shape: [8, 4], dims: ['token', 'embd'], pos0: 0 },
  ...parts,
});

describe('the default rules', () => {
  it('speak of every value of a forward pass in every class', async () => {
    const { config } = await openRandom('reference');
    for (const hasAttentionBias of [false, true]) {
      for (const { name, op } of forward({ ...config, hasAttentionBias, nLayer: 12 })) {
        for (const precision of CLASSES) {
          const found = toleranceFor(row(name, op), precision);
          expect(found?.limit, `${name} in ${precision}`).toBeGreaterThan(0);
          expect(found?.source.length).toBeGreaterThan(10);
        }
      }
    }
  });

  it('speak of what observers add in f32, and hold ids to be exact', async () => {
    const model = await openRandom('reference');
    const steps = model.with(lens({ k: 2 }), attribution({ token: 40 })).steps;
    const added = steps.filter(({ name }) => !model.names.find(name));
    expect(added.length).toBeGreaterThan(20);
    for (const { name, op } of added) {
      expect(toleranceFor(row(name, op), 'f32')?.limit, name).toBe(op === 'top_k_ids' ? 0 : 3e-5);
      expect(toleranceFor(row(name, op), 'ggml-q')).toBeNull();
    }
  });

  it('fail closed: an unknown name, and a class that is not theirs, have none', () => {
    for (const name of ['ffn_moe_out-0', 'hidden', 'l_out', 'xl_out-1', 'l_out-1x', 'Qcur-', 'embd-2', 'kq_mask', '']) {
      for (const precision of CLASSES) expect(toleranceFor(row(name), precision), name).toBeNull();
    }
    for (const precision of ['ggml', 'bf16', 'f64', 'xf32', '']) {
      expect(toleranceFor(row('l_out-3'), precision), precision).toBeNull();
    }
  });

  it('allow what a coarser class has at least as much', () => {
    for (const name of ['Qcur-0', 'kqv_out-3', 'l_out-3', 'result_output']) {
      const limits = CLASSES.slice(0, 5).map((each) => toleranceFor(row(name), each)?.limit ?? 0);
      expect(limits, name).toEqual([...limits].sort((a, b) => a - b));
    }
  });

  it('give the first rule that matches by name, op and class; those of the user come before them', () => {
    const mine: ToleranceRule = { name: /out/g, op: /^mul_mat$/, precision: /f32/, limit: () => 0.5, source: 'mine' };
    const rules = [mine, ...defaultRules];
    for (const time of ['first', 'second']) {
      expect(toleranceFor(row('l_out-1'), 'f32', rules), time).toEqual({ limit: 0.5, source: 'mine' });
    }
    expect(toleranceFor(row('l_out-1', 'add'), 'f32', rules)).toEqual(toleranceFor(row('l_out-1', 'add'), 'f32'));
    expect(toleranceFor(row('l_out-1'), 'f16', rules)?.source).not.toBe('mine');
    expect(toleranceFor(row('ffn_up-1'), 'f32', [mine])).toBeNull();
  });
});

describe("RoPE by ggml's recurrence", () => {
  /** cos and sin of every pair at a position, by multiplying the angle up in f32. */
  const recurrence = (position: number, dim: number, base: number): number[] => {
    const scale = Math.fround(base ** Math.fround(-2 / dim));
    let angle = Math.fround(position);
    return Array.from({ length: dim / 2 }, () => {
      const here = angle;
      angle = Math.fround(angle * scale);
      return here;
    });
  };
  const turned = (x: Float32Array, angles: readonly number[]): Float32Array => {
    const y = new Float32Array(x.length);
    angles.forEach((angle, i) => {
      const [a, b] = [x[2 * i]!, x[2 * i + 1]!];
      y[2 * i] = a * Math.cos(angle) - b * Math.sin(angle);
      y[2 * i + 1] = a * Math.sin(angle) + b * Math.cos(angle);
    });
    return y;
  };

  it('is off by at most 5e-8 for each position, and within the tolerance of its class up to 8,191', () => {
    const random = seeded(1);
    let [most, beyondF32] = [0, 0];
    for (const dim of [32, 64, 80, 96, 128]) {
      for (const base of [1e4, 1e5, 5e5, 1e6]) {
        for (const pos0 of [0, 504, 2040, 4088, 8184]) {
          const [tokens, ours, reference] = [8, [] as number[], [] as number[]];
          for (let position = pos0; position < pos0 + tokens; position++) {
            const exact = Array.from({ length: dim / 2 }, (_, i) => position * base ** ((-2 * i) / dim));
            const ggml = recurrence(position, dim, base);
            const off = Math.sqrt(exact.reduce((sum, angle, i) => sum + (angle - ggml[i]!) ** 2, 0) / exact.length);
            if (position > 0) most = Math.max(most, off / position);
            const x = normals(random, dim);
            ours.push(...turned(x, exact));
            reference.push(...turned(x, ggml));
          }
          const pair = {
            ...{ ours: Float32Array.from(ours), reference: Float32Array.from(reference), offsets: null, pos0 },
            ...{ shape: [tokens, 1, dim], dims: ['token', 'head', 'dim'] },
          };
          const judged = (precision: string) =>
            judge(pair, measure(pair), toleranceFor(row('Qcur_rope-0', 'rope', pair), precision)).status;
          expect(judged('ggml-f32'), `dim ${dim}, base ${base}, from ${pos0}`).toBe('within');
          if (judged('f32') === 'beyond') beyondF32++;
        }
      }
    }
    expect(most).toBeLessThan(5.2e-8);
    expect(most).toBeGreaterThan(4e-8);
    expect(beyondF32).toBeGreaterThan(20);
  });

  it('is allowed by the last position that a tensor is over', () => {
    const limit = (pos0: number, tokens: number) =>
      toleranceFor(row('l_out-2', 'add', { pos0, shape: [tokens, 4] }), 'ggml-f32')?.limit;
    expect(limit(0, 1)).toBe(1e-5);
    expect(limit(0, 500)).toBeCloseTo(1e-5 + 3e-7 * 499, 12);
    expect(limit(499, 1)).toBe(limit(0, 500));
    const judged = { name: 'l_out-2', op: 'add', shape: [4], dims: ['embd'] };
    expect(toleranceFor(judged, 'ggml-f32')?.limit).toBe(1e-5);
  });
});

const prompt =
  'Once upon a time there was a little girl named Lily. She liked to play in the park with her friend Tom. ';

interface Rounded {
  readonly file?: string;
  readonly tokens?: number;
  readonly precision?: string;
  /** Of the first side. */
  readonly transform?: Transform;
}

/** What judge says of every tensor of two runs, and what it says when limits are four times as strict. */
async function statuses(
  backends: readonly ['webgpu' | 'reference', 'webgpu' | 'reference'],
  { file = 'q6_k', tokens = 12, precision = 'f32', transform }: Rounded,
) {
  const models = await Promise.all(backends.map((backend) => openModel(`fixtures/lily-4m-${file}.gguf`, { backend })));
  const [a, b] = [transform ? models[0]!.with(transform) : models[0]!, models[1]!];
  const ids = b.tokenize(prompt.repeat(8)).slice(0, tokens);
  const [ours, reference] = [a.start(ids), b.start(ids)];
  await Promise.all([ours.toEnd(), reference.toEnd()]);
  const found: Record<string, { status: string; strict: string }> = {};
  for (const entry of reference.trace.entries) {
    const [x, y] = [await ours.tensor(entry.name), await reference.tensor(entry.name)];
    const { shape, dims } = y;
    const pair = { ours: x.data, reference: y.data, shape, dims, pos0: entry.pos0, offsets: null };
    const tolerance = toleranceFor(entry, precision);
    const measured = measure(pair);
    const strict = tolerance && { ...tolerance, limit: tolerance.limit / 8 };
    found[entry.name] = {
      status: judge(pair, measured, tolerance).status,
      strict: judge(pair, measured, strict).status,
    };
  }
  await Promise.all(models.map((model) => model.close()));
  return Object.entries(found);
}
const isFine = (status: string) => status === 'within' || status === 'equal';

describe('real rounding', () => {
  it.skipIf(noAdapter).each([
    ['f16', 12],
    ['q4_k_m', 150],
    ['q6_k', 150],
  ])('of webgpu on %s, %i tokens, is within the tolerance of f32, and not by far', async (file, tokens) => {
    const found = await statuses(['webgpu', 'reference'], { file, tokens });
    expect(found.length).toBeGreaterThan(100);
    expect(found.filter(([, { status }]) => !isFine(status))).toEqual([]);
    if (tokens > 100) expect(found.filter(([, { strict }]) => strict === 'beyond').length).toBeGreaterThan(0);
  });

  it('of storing every value as f16 is within the tolerance of f16, and far beyond that of f32', async () => {
    const sides = ['reference', 'reference'] as const;
    const stored = edit('*', (t) => t.data.map((x) => halfAsFloat[halfBits(x)] as number));
    const found = await statuses(sides, { file: 'q4_0', tokens: 40, transform: stored, precision: 'f16' });
    expect(found.filter(([, { status }]) => !isFine(status))).toEqual([]);
    expect(found.filter(([, { strict }]) => strict === 'beyond').length).toBeGreaterThan(0);
    const f32 = await statuses(sides, { file: 'q4_0', tokens: 2, transform: stored });
    expect(f32.filter(([, { status }]) => !isFine(status)).length).toBeGreaterThan(100);
  });
});

describe('products added up in f16', () => {
  it('are off by 0.41 · 2⁻¹¹ · √(K / 2), as their tolerance says', () => {
    const random = seeded(6);
    for (const k of [64, 256, 1024]) {
      let [error, size] = [0, 0];
      for (let i = 0; i < 400; i++) {
        const [x, y] = [normals(random, k), normals(random, k)];
        let [half, exact] = [0, 0];
        x.forEach((each, j) => {
          const product = nearestHalf(each) * nearestHalf(y[j] as number);
          half = nearestHalf(half + nearestHalf(product));
          exact += product;
        });
        error += (half - exact) ** 2;
        size += exact ** 2;
      }
      const derived = 0.41 * 2 ** -11 * Math.sqrt(k / 2);
      expect(Math.sqrt(error / size) / derived, `${k} products`).toBeGreaterThan(0.8);
      expect(Math.sqrt(error / size) / derived, `${k} products`).toBeLessThan(1.25);
    }
  });

  it.skipIf(noAdapter)('are within the tolerance of their class at 40 tokens, and not by far', async () => {
    const found = await statuses(['webgpu', 'reference'], {
      ...{ file: 'q4_k_m', tokens: 40, precision: 'f16-sums', transform: f16Accumulation() },
    });
    expect(found.filter(([, { status }]) => !isFine(status))).toEqual([]);
    expect(found.filter(([, { strict }]) => strict === 'beyond').length).toBeGreaterThan(10);
  });
});

describe('the precision of a pair', () => {
  const trace = (manifest: Manifest, ...srcDtypes: string[]) =>
    new RowTrace({
      manifest,
      entries: srcDtypes.map((srcDtype) => ({ srcDtype }) as TraceRow),
      values: () => Promise.reject(new Error('no values')),
      source: 'a test',
    });
  const ours = (quantisation = 'F32 Q4_0', transforms: string[] = []) =>
    trace(
      { producer: 'layerscope', quantisation, transforms: transforms.map((name) => ({ name, params: {} })) },
      'f32',
    );
  const llama = (manifest: Manifest = {}) => trace({ producer: 'llama.cpp', ...manifest }, 'f32');

  it.each([
    ['two runs of ours', ours(), ours(), 'f32'],
    ['a dump that says nothing', trace({}, 'f32'), ours(), 'f32'],
    ['the F32 twin', ours(), llama({ quantisation: 'F32 Q4_0', twinOf: 'ab' }), 'ggml-f32'],
    ['an F32 file', ours('F32'), llama({ quantisation: 'F32' }), 'ggml-f32'],
    ['an F16 file', ours('F32 F16'), llama({ quantisation: 'F32 F16' }), 'ggml-f16'],
    ['a BF16 file', ours('BF16 F32'), llama({ quantisation: 'BF16 F32' }), 'ggml-bf16'],
    ['a quantised file', ours(), llama({ quantisation: 'F32 Q4_0' }), 'ggml-q'],
    ['a k-quant with F16 in it', ours(), llama({ quantisation: 'F16 F32 Q6_K' }), 'ggml-q'],
    ['an i-quant', ours(), llama({ quantisation: 'IQ4_XS' }), 'ggml-q'],
    ['a log that names no types, against a model that does', ours('F32 F16'), llama(), 'ggml-f16'],
    ['a log against a dump, and nobody knows the types', trace({}, 'f32'), llama(), 'ggml'],
    ['llama.cpp against its own twin', llama({ quantisation: 'Q4_0' }), llama({ twinOf: 'ab' }), 'ggml-q'],
    ['our imitation of ggml', ours('F32 Q8_0', ['lens', 'ggmlArithmetic']), ours('F32 Q8_0'), 'ggml-q'],
    ['a dump in f16', trace({}, 'f32', 'f16'), ours(), 'f16'],
    ['our run stored as f16', ours('F32', ['f16Storage']), ours('F32'), 'f16'],
    ['our run with sums in f16', ours('F32', ['f16Accumulation']), ours('F32'), 'f16-sums'],
    ['sums in f16 beside a dump in f16', ours('F32', ['f16Accumulation']), trace({}, 'f16'), 'f16-sums'],
    ['a dump in bf16', trace({}, 'bf16'), trace({}, 'f16'), 'bf16'],
  ])('of %s', (_, a, b, precision) => {
    expect(precisionOf(a, b)).toBe(precision);
    expect(precisionOf(b, a)).toBe(precision);
  });

  it('has an allowance op by op only where a side is known to round', () => {
    const limits = [...CLASSES, 'ggml', 'bf16'].map((each) => coarseOpTolerance(each)?.limit ?? null);
    expect(limits).toEqual([null, null, 5e-4, 4e-3, 1.5e-2, 2 ** -11, null, null, null]);
  });
});
