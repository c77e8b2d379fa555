/**
 * The claims are held against runs of a small random model with real faults in it, and against the table of what each fault
 * showed with one token at position 0 (A), a prefill of 8 (B), and a prefill of 7 and one decode (C).
 */
import { describe, expect, it } from 'vitest';
import { blindSpots, blindSpotsOf, type Looked, tokensToTellBase } from '../../src/compare/blind_spots.ts';
import { judge } from '../../src/compare/judge.ts';
import { measure } from '../../src/compare/measure.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import type { Transform } from '../../src/engine/transforms/transform.ts';
import type { Step } from '../../src/ops/step.ts';
import type { Tensor } from '../../src/trace/tensor.ts';
import { openRandom, relativeRmsError } from '../engine/models.ts';
import { normals, seeded } from '../seeded.ts';

const NAMES = ['embd', 'attn_norm-0', 'Qcur-0', 'Kcur-0', 'kq-0', 'kqv_out-0', 'l_out-0', 'l_out-1', 'result_output'];

/** Passes by their numbers of tokens. */
function looked(tokens: readonly number[], parts: Partial<Looked> = {}): Looked {
  let nPast = 0;
  const passes = tokens.map((nTokens) => {
    const pass = { nPast, nTokens };
    nPast += nTokens;
    return pass;
  });
  return {
    ...{ passes, bos: true, names: NAMES, allLogits: true, limit: 1e-5 },
    model: { nLayer: 2, nHead: 4, nHeadKv: 2, headDim: 16, ropeDim: 16, ropeBase: 1e4, ropeScale: 1 },
    ...parts,
  };
}

const suspects = (given: Looked) => blindSpotsOf(given).map(({ suspect }) => suspect);

describe('the table of faults', () => {
  const WITH_ONE = ['RoPE', 'attention scale', 'causal mask', 'KV cache', 'decode positions'];

  it('A: with one token at position 0 neither RoPE, scale, mask, cache nor decode positions can show', () => {
    expect(suspects(looked([1]))).toEqual(WITH_ONE);
  });

  it('B: with a prefill only the cache and decode positions cannot', () => {
    expect(suspects(looked([8]))).toEqual(['KV cache', 'decode positions']);
  });

  it('C: with one decode after it everything can, but for a counter that stops there', () => {
    expect(suspects(looked([7, 1]))).toEqual(['position counter']);
    expect(suspects(looked([7, 1, 1]))).toEqual([]);
    expect(suspects(looked([1, 1, 1]))).toEqual(['causal mask']);
  });

  it('what is named as the shortest prompt has that suspect no more', () => {
    const prompts: Record<string, number[]> = {
      'two tokens': [2],
      'two tokens in one pass': [2],
      'two tokens in two passes: a prompt of one and one more': [1, 1],
      '9 tokens: one more, in a pass of its own': [7, 1, 1],
    };
    for (const tokens of [[1], [8], [7, 1], [1, 1]]) {
      for (const { suspect, shortest } of blindSpotsOf(looked(tokens))) {
        const prompt = prompts[shortest] ?? (shortest.startsWith('3 tokens: one more') ? [1, 1, 1] : []);
        expect(prompt.length, shortest).toBeGreaterThan(0);
        expect(suspects(looked(prompt)), `${suspect} after ${tokens}`).not.toContain(suspect);
      }
    }
  });
});

describe('faults in a run', () => {
  const withParams = (op: string, params: Step['params']): Transform => ({
    ...{ name: 'fault', params: {} },
    apply: (steps) => steps.map((step) => (step.op === op ? { ...step, params: { ...step.params, ...params } } : step)),
  });

  /** Names of the tensors that a fault changes, over passes of so many tokens. */
  async function changed(fault: readonly Transform[], passes: readonly number[]): Promise<string[]> {
    const model = await openRandom('reference');
    const run = async (transforms: readonly Transform[]) => {
      const [first = 1, ...others] = passes;
      const made = model.with(...transforms).start(Array.from({ length: first }, (_, i) => 1 + 7 * i));
      await made.toEnd();
      for (const [i, n] of others.entries()) {
        await made.append(Array.from({ length: n }, (_, j) => 50 + 10 * i + j));
        await made.toEnd();
      }
      return made;
    };
    const [healthy, faulty] = [await run([]), await run(fault)];
    const names: string[] = [];
    for (const name of model.names.select('all')) {
      const [a, b] = [await healthy.tensor(name, { pass: 'all' }), await faulty.tensor(name, { pass: 'all' })];
      // An edit rounds what passes through it to f32; a fault does more than that.
      if (a.some((tensor, i) => relativeRmsError(b[i]!.data, tensor.data) > 1e-5)) names.push(name);
    }
    return names;
  }

  /** Softmax over every key of the pass. */
  const unmasked = (): Transform[] => {
    let kq: Tensor;
    const keep = edit('kq-*', (tensor) => {
      kq = tensor;
      return tensor;
    });
    return [keep, edit('kq_soft_max-*', () => kq.scale(1 / 4).softmax())];
  };

  it.each<[string, () => Transform[]]>([
    ['RoPE', () => [withParams('rope', { pairing: 'halves' })]],
    ['RoPE', () => [withParams('rope', { freqBase: 5e5 })]],
    ['RoPE', () => [withParams('rope', { freqBase: 1e-4 })]], // the exponent's sign
    ['attention scale', () => [withParams('soft_max', { scale: 1 })]],
    ['causal mask', unmasked],
  ])('of %s change nothing where it is named, and the logits where it is not', async (suspect, fault) => {
    for (const passes of [[1], [1, 1], [2], [2, 1]]) {
      const names = await changed(fault(), passes);
      if (suspects(looked(passes)).includes(suspect)) expect(names, `${passes}`).toEqual([]);
      else expect(names, `${passes}`).toContain('result_output');
    }
  });

  it('of queries show in their own tensors alone where softmax has one key', async () => {
    const double = [edit('Qcur-*', (tensor) => tensor.scale(2))];
    const names = await changed(double, [1]);
    expect(names.filter((name) => !/^([QK]cur|kq-)/.test(name))).toEqual([]);
    expect(names.length).toBeGreaterThan(0);
    expect(suspects(looked([1]))).not.toContain('queries and keys');
    expect(suspects(looked([1], { names: ['l_out-0', 'result_output'] }))).toContain('queries and keys');
    expect(await changed(double, [2])).toContain('result_output');
  });
});

describe("RoPE's base", () => {
  const sizes = { nLayer: 2, nHead: 8, nHeadKv: 2, headDim: 64, ropeDim: 64, ropeBase: 5e5, ropeScale: 1 };

  it('shows with two tokens in f32, and needs more where the tolerance is wide', () => {
    for (const base of [1e4, 1e5, 1e6]) expect(tokensToTellBase(base, sizes, 1e-5)).toBe(2);
    const tokens = tokensToTellBase(1e6, sizes, 1.2e-1);
    expect(tokens).toBeGreaterThan(10);
    expect(blindSpotsOf(looked([tokens - 1, 1, 1], { model: sizes, limit: 1.2e-1 }))).toEqual([]);
    expect(blindSpotsOf(looked([tokens - 3, 1, 1], { model: sizes, limit: 1.2e-1 }))).toEqual([
      {
        suspect: 'RoPE base',
        why: `Up to position ${tokens - 2} a base of 1000000 in place of 500000 stays within the tolerance of 0.12`,
        shortest: `${tokens} tokens`,
      },
    ]);
    expect(tokensToTellBase(1e6, sizes, 10)).toBe(Infinity);
    expect(suspects(looked([8, 1, 1], { model: { ...sizes, ropeBase: null }, limit: 10 }))).toEqual([]);
  });

  it('is beyond its tolerance with that many tokens', () => {
    const [base, limit] = [1e6, 0.05];
    const tokens = tokensToTellBase(base, sizes, limit);
    const random = seeded(1);
    const turned = (x: Float32Array, position: number, of: number) =>
      x.map((value, i) => {
        const angle = position * of ** ((-2 * Math.floor(i / 2)) / 64);
        return i % 2 === 0
          ? value * Math.cos(angle) - x[i + 1]! * Math.sin(angle)
          : value * Math.cos(angle) + x[i - 1]! * Math.sin(angle);
      });
    const [ours, reference]: [number[], number[]] = [[], []];
    for (let position = 0; position < tokens; position++) {
      for (let head = 0; head < 8; head++) {
        const x = normals(random, 64);
        ours.push(...turned(x, position, base));
        reference.push(...turned(x, position, 5e5));
      }
    }
    const status = (from: number, to: number) => {
      const part = (all: number[]) => Float32Array.from(all.slice(from * 512, to * 512));
      const pair = { ours: part(ours), reference: part(reference), offsets: null, pos0: from };
      const shaped = { ...pair, shape: [to - from, 8, 64], dims: ['token', 'head', 'dim'] };
      return judge(shaped, measure(shaped), { limit, source: 'a test' }).status;
    };
    expect(status(0, tokens)).toBe('beyond');
    expect(status(0, Math.floor(0.9 * tokens))).toBe('within');
  });
});

describe('the model', () => {
  it('cannot show how heads are grouped where tiling and repeating are one', () => {
    for (const nHead of [1, 2, 4, 6, 8]) {
      for (let nHeadKv = 1; nHeadKv <= nHead; nHeadKv++) {
        if (nHead % nHeadKv !== 0) continue;
        const heads = Array.from({ length: nHead }, (_, head) => head);
        const isOne = heads.every((head) => head % nHeadKv === Math.floor(head / (nHead / nHeadKv)));
        const { model } = looked([7, 1, 1]);
        const found = suspects(looked([7, 1, 1], { model: { ...model, nHead, nHeadKv } }));
        expect(found, `${nHead} heads, ${nHeadKv} KV heads`).toEqual(isOne ? ['grouping of heads'] : []);
      }
    }
  });

  it('of one layer cannot show their order', () => {
    const { model } = looked([7, 1, 1]);
    expect(suspects(looked([7, 1, 1], { model: { ...model, nLayer: 1 } }))).toEqual(['order of layers']);
  });
});

describe('text and tensors', () => {
  it('without BOS say nothing of BOS; nobody knows where nobody tells', () => {
    expect(suspects(looked([7, 1, 1], { bos: false }))).toEqual(['BOS']);
    expect(suspects(looked([7, 1, 1], { bos: null }))).toEqual([]);
  });

  it.each([
    [
      ['embd', 'Qcur-0', 'Kcur-0'],
      ['attention', 'layer 1', 'output matrix'],
    ],
    [['l_out-0'], ['layer 1', 'output matrix']],
    [['l_out-1'], ['output matrix']],
    [['result_norm'], ['output matrix']],
    [['result_output'], []],
    [[], []],
  ])('%j leave %j unseen', (names, unseen) => {
    expect(suspects(looked([7, 1, 1], { names }))).toEqual(unseen);
  });

  it('with the logits of the last token alone say nothing of the others', () => {
    expect(suspects(looked([7, 1, 1], { allLogits: false }))).toEqual(['logits of earlier tokens']);
  });
});

describe('of two traces', () => {
  it('passes, names and sizes are read off them', async () => {
    const model = await openRandom('reference');
    const run = await model.start([1, 40, 77], { bos: true }).toEnd();
    const found = blindSpots(run.trace, run.trace).map(({ suspect }) => suspect);
    expect(found.filter((suspect) => suspect !== 'BOS')).toEqual(['KV cache', 'decode positions']);
    const one = await model.start([40]).toEnd();
    expect(blindSpots(one.trace, run.trace, model.config).map(({ suspect }) => suspect)).toContain('RoPE');
    const layer = await model.start([1, 40, 77]).layer(0);
    const unseen = blindSpots(layer.trace, run.trace).map(({ suspect }) => suspect);
    expect(unseen).toEqual(expect.arrayContaining(['layers 1 to 2', 'output matrix']));
    await one.append([41]);
    await one.toEnd();
    // The reference ends at position 2, ours is one token and one decode.
    expect(blindSpots(one.trace, run.trace).map(({ suspect }) => suspect)).toContain('position counter');
  });

  it('of a model with one KV head for each head name the grouping', async () => {
    const model = await openRandom('reference', { nHeadKv: 4 });
    const { trace } = await model.start([1, 40, 77]).toEnd();
    expect(blindSpots(trace, trace).map(({ suspect }) => suspect)).toContain('grouping of heads');
  });
});

it('every reason is one sentence, and every prompt is said', () => {
  const given = [looked([1], { bos: false }), looked([8], { allLogits: false }), looked([7, 1], { names: ['embd'] })];
  for (const { suspect, why, shortest } of given.flatMap(blindSpotsOf)) {
    expect(why, suspect).toMatch(/^[A-Z][^.]*$/);
    expect(shortest, suspect).toMatch(/^[a-z0-9B]/);
  }
});
