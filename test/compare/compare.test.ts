import { describe, expect, test } from 'vitest';
import { type CompareOptions, compare } from '../../src/compare/compare.ts';
import type { Comparison, TensorComparison } from '../../src/compare/comparison.ts';
import { openModelFrom } from '../../src/engine/model.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { f16Storage } from '../../src/engine/transforms/f16_storage.ts';
import { bytesSource, joinBytes } from '../../src/gguf/bytes.ts';
import { randomModel } from '../../src/gguf/random_model.ts';
import type { Tensor } from '../../src/trace/tensor.ts';
import { RowTrace, type Trace, type TraceRow } from '../../src/trace/trace.ts';
import { openRandom, platform, tiny } from '../engine/models.ts';
import { normals, seeded } from '../seeded.ts';
import { changedTrace } from './changed_trace.ts';
import { mutationOf } from './mutations.ts';

const TOKENS = [1, 40, 77, 105, 260, 7, 31, 299];

const model = await openRandom('reference');
/** A prefill of eight tokens and a decode step. */
const run = await model.start(TOKENS).generate(2);
const healthy = run.trace;

const where = ({ firstDivergence }: Comparison) =>
  firstDivergence && `${firstDivergence.name} of pass ${firstDivergence.pass}`;

describe('a trace against itself', () => {
  test('agrees, and every tensor is equal', async () => {
    const comparison = await compare(healthy, healthy);
    expect(comparison.verdict).toBe('agree');
    expect(comparison.tensors).toHaveLength(healthy.entries.length);
    expect(new Set(comparison.tensors.map(({ status }) => status))).toEqual(new Set(['equal']));
    expect(comparison.notCompared).toEqual([]);
    expect(comparison.logits?.every(({ kl, rank }) => kl === 0 && rank === 0)).toBe(true);
  });

  test('in exact mode, a single flipped bit anywhere is found at its coordinate', async () => {
    const random = seeded(11);
    for (let i = 0; i < 40; i++) {
      const row = healthy.entries[Math.floor(random() * healthy.entries.length)] as TraceRow;
      const tensor = await healthy.tensor(row.name, { pass: row.pass });
      const at = Math.floor(random() * tensor.size);
      const flipped = await changedTrace(healthy, ({ name, pass }, values) => {
        if (name !== row.name || pass !== row.pass) return null;
        const bits = new Uint32Array(values.slice().buffer);
        bits[at]! ^= 1 << Math.floor(random() * 32);
        return new Float32Array(bits.buffer);
      });
      const { firstDivergence, tensors } = await compare(flipped, healthy, { mode: 'exact' });
      expect(firstDivergence, row.name).toMatchObject({ name: row.name, pass: row.pass });
      expect(offsetOf(tensor, firstDivergence?.index ?? [])).toBe(at);
      expect(tensors.filter(({ status }) => status !== 'equal')).toHaveLength(1);
    }
  });
});

function offsetOf({ shape }: Tensor, index: readonly number[]): number {
  return index.reduce((offset, at, axis) => offset * (shape[axis] as number) + at, 0);
}

function isMasked({ dims, shape }: Pick<Tensor, 'dims' | 'shape'>, pos0: number): (offset: number) => boolean {
  if (dims.join() !== 'head,token,key') return () => false;
  const [, tokens, keys] = shape as [number, number, number];
  return (offset) => offset % keys > pos0 + (Math.floor(offset / keys) % tokens);
}

/** `tol · (|reference| + RMS of its row)`, see DESIGN "What agreement means". */
function boundOf({ data, shape }: Tensor, limit: number, masked: (offset: number) => boolean) {
  const width = shape.at(-1) as number;
  const rms = Array.from({ length: data.length / width }, (_, row) => {
    const seen = Array.from(data.subarray(row * width, (row + 1) * width)).filter((_, i) => !masked(row * width + i));
    return Math.sqrt(seen.reduce((sum, x) => sum + x * x, 0) / Math.max(1, seen.length));
  });
  return (offset: number) => limit * (Math.abs(data[offset] as number) + (rms[Math.floor(offset / width)] as number));
}

describe('seeded mutations', () => {
  const COUNT = 200;
  /** End to end in f32, the tolerance of every tensor here. */
  const LIMIT = 1e-5;

  test(`of ${COUNT} recorded tensors are each found: the tensor, the pass and an element that was touched`, async () => {
    for (let seed = 0; seed < COUNT; seed++) {
      const random = seeded(seed);
      const row = healthy.entries[Math.floor(random() * healthy.entries.length)] as TraceRow;
      const tensor = await healthy.tensor(row.name, { pass: row.pass });
      const masked = isMasked(tensor, row.pos0);
      const mutation = mutationOf(tensor, random, boundOf(tensor, LIMIT, masked), masked);
      const broken = await changedTrace(healthy, ({ name, pass }) =>
        name === row.name && pass === row.pass ? mutation.data : null,
      );
      const said = `seed ${seed}: ${mutation.what} of ${row.name} of pass ${row.pass}`;
      const comparison = await compare(broken, healthy, { model });
      // A permutation may be one that an engine's layout would give; then that is what it is called.
      expect(['bug', 'other layout'], said).toContain(comparison.verdict);
      if (comparison.verdict === 'other layout') {
        expect(['permutation', 'shift'], said).toContain(mutation.what);
        const found = comparison.tensors.filter(({ isolation }) => isolation?.outcome === 'other layout');
        expect(
          found.map(({ name, pass }) => `${name} ${pass}`),
          said,
        ).toEqual([`${row.name} ${row.pass}`]);
        continue;
      }
      expect(where(comparison), said).toBe(`${row.name} of pass ${row.pass}`);
      const { index = [], token, head, isolation } = comparison.firstDivergence ?? {};
      expect(mutation.touched.has(offsetOf(tensor, index)), said).toBe(true);
      const axis = (dim: string) => index[tensor.dims.indexOf(dim)];
      if (tensor.dims.includes('token')) expect(token, said).toBe((axis('token') as number) + row.pos0);
      if (tensor.dims.includes('head')) expect(head, said).toBe(axis('head'));
      expect(isolation?.madeBy, said).toBe('ours');
    }
  });

  test(`of ${COUNT / 2} tensors in the middle of a run are each found, though all that follows differs too`, async () => {
    for (let seed = 0; seed < COUNT / 2; seed++) {
      const random = seeded(1000 + seed);
      const step = model.steps[Math.floor(random() * model.steps.length)]!;
      const broken = await model.start(TOKENS).to(step.name);
      const tensor = await broken.tensor(step.name);
      const masked = isMasked(tensor, 0);
      const mutation = mutationOf(tensor, random, boundOf(tensor, LIMIT, masked), masked);
      await broken.replace(step.name, mutation.data);
      await broken.toEnd();
      const said = `seed ${seed}: ${mutation.what} of ${step.name}`;
      const comparison = await compare(broken, await model.start(TOKENS).toEnd());
      expect(comparison.firstDivergence?.name, `${said}: ${comparison}`).toBe(step.name);
      expect(mutation.touched.has(offsetOf(tensor, comparison.firstDivergence?.index ?? [])), said).toBe(true);
      broken.close();
    }
  });

  test('of a swapped nibble in a single weight are found at the step that reads it', async () => {
    const bytes = await joinBytes(randomModel({ ...tiny, type: 'Q4_0' }));
    const open = (file: Uint8Array) => openModelFrom(bytesSource('q4.gguf', file), platform, { backend: 'reference' });
    const whole = await open(bytes);
    const reference = await whole.start(TOKENS).toEnd();
    for (const [seed, weight] of ['blk.1.attn_k.weight', 'blk.2.ffn_down.weight', 'output.weight'].entries()) {
      const { offset, byteLength } = whole.gguf.tensors.get(weight)!;
      const swapped = bytes.slice();
      const random = seeded(seed);
      let at: number;
      do {
        // Of a Q4_0 block of 18 bytes the first two are its scale.
        const block = Math.floor((random() * byteLength) / 18);
        at = offset + block * 18 + 2 + Math.floor(random() * 16);
      } while ((bytes[at]! & 15) === bytes[at]! >> 4);
      swapped[at] = ((bytes[at]! & 15) << 4) | (bytes[at]! >> 4);
      const broken = await open(swapped);
      const run = await broken.start(TOKENS).toEnd();
      const { firstDivergence } = await compare(run, reference, { model: whole, allow: ['weights'] });
      expect(firstDivergence?.name).toBe(whole.steps.find(({ inputs }) => inputs.weight === weight)?.name);
      expect(firstDivergence?.isolation).toMatchObject({ outcome: 'made', madeBy: 'ours' });
    }
  });
});

describe('clean runs', () => {
  const COUNT = 300;

  test(`${COUNT} of them with noise of the allowed size are not called a bug`, async () => {
    const limits = new Map(
      (await compare(healthy, healthy)).tensors.map(({ name, tolerance }) => [name, tolerance?.limit]),
    );
    for (let seed = 0; seed < COUNT; seed++) {
      const random = seeded(5000 + seed);
      const noisy = await changedTrace(healthy, (row, values) => {
        const masked = isMasked(row, row.pos0);
        const norm = (all: Float32Array, from = 0) =>
          Math.sqrt(all.reduce((sum, x, i) => (masked(from + i) ? sum : sum + x * x), 0));
        // As rounding has it: noisier where a row's numbers are larger.
        const width = row.shape.at(-1) as number;
        const noise = normals(random, values.length);
        for (let from = 0; from < noise.length; from += width) {
          const size = norm(values.subarray(from, from + width), from);
          for (let i = from; i < from + width; i++) noise[i]! *= size;
        }
        // A hundredth less than the limit: rounding to f32 can add so much to few numbers.
        const scale = (0.99 * (limits.get(row.name) as number) * norm(values)) / norm(noise);
        return values.map((value, i) => value + scale * (noise[i] as number));
      });
      const { verdict, firstDivergence } = await compare(noisy, healthy, { model });
      expect(['agree', 'noise'], `seed ${seed}: ${firstDivergence?.name}`).toContain(verdict);
    }
  });

  test('f16 storage is precision, by name, and not a bug', async () => {
    const stored = await model.with(f16Storage()).start(TOKENS).toEnd();
    const { verdict, summary, tensors } = await compare(stored, await model.start(TOKENS).toEnd());
    expect(verdict, summary).toBe('precision');
    const explained = tensors.flatMap(({ isolation }) => isolation?.explained?.name ?? []);
    expect(new Set(explained)).toEqual(new Set(['outputs stored as f16']));
  });
});

describe('what is not compared', () => {
  const only = (trace: Trace, keep: (row: TraceRow) => boolean) =>
    new RowTrace({
      manifest: trace.manifest,
      entries: trace.entries.filter(keep),
      values: async ({ name, pass }) => (await trace.tensor(name, { pass })).data,
      source: 'a part of a trace',
    });

  test('a tensor of one side is named with the side', async () => {
    const part = only(healthy, ({ name }) => !name.startsWith('ffn_silu'));
    const { notCompared, verdict } = await compare(healthy, part);
    expect(verdict).toBe('agree');
    expect(notCompared).toHaveLength(6);
    expect(notCompared[0]).toEqual({ name: 'ffn_silu-0', pass: 0, why: 'only ours has it' });
    const other = await compare(part, healthy);
    expect(other.notCompared[0]).toEqual({ name: 'ffn_silu-0', pass: 0, why: 'only the reference has it' });
  });

  test('a step that only ours has, and that is broken, is named and not the step that reads it', async () => {
    const part = only((await model.start(TOKENS).toEnd()).trace, ({ name }) => !name.startsWith('ffn_silu'));
    const dead = await model
      .with(edit('ffn_silu-1', (silu) => silu.scale(0)))
      .start(TOKENS)
      .toEnd();
    const comparison = await compare(dead, part, { model });
    expect(comparison.firstDivergence?.name).toBe('ffn_silu-1');
  });

  test('with statistics alone a sum that moved is a suspicion, and the number of such is said', async () => {
    const bare = await model.start(TOKENS, { select: 'none' }).toEnd();
    const same = await compare(bare, await model.start(TOKENS).toEnd());
    expect(same.verdict).toBe('agree');
    expect(same.summary).toContain('prove little');
    const wrong = await model
      .with(edit('ffn_norm-1', (x) => x.scale(1.2)))
      .start(TOKENS, { select: 'none' })
      .toEnd();
    const { firstDivergence, verdict } = await compare(wrong, await model.start(TOKENS).toEnd());
    expect(verdict).toBe('bug');
    expect(firstDivergence).toMatchObject({ name: 'ffn_norm-1', isolation: null });
  });

  test('two traces without a tensor in common do not agree', async () => {
    const one = only(healthy, ({ name }) => name === 'embd');
    const { verdict, summary } = await compare(
      one,
      only(healthy, ({ name }) => name === 'l_out-0'),
    );
    expect(verdict).toBe('bug');
    expect(summary).toBe('no tensor is in both traces, so nothing was compared');
  });
});

describe('experiments that are not the same', () => {
  test('are refused with each difference, and nothing is compared', async () => {
    const other = await model.start([...TOKENS].slice(1)).toEnd();
    const { verdict, refused, tensors } = await compare(other, await model.start(TOKENS).toEnd());
    expect(verdict).toBe('refused');
    expect(refused.map(({ kind }) => kind)).toContain('bos');
    expect(tensors).toEqual([]);
  });

  test('a prefill beside a prefill and decode steps is compared over the same positions where that is allowed', async () => {
    const whole = await model.start((healthy.end as { tokens: number[] }).tokens.slice(0, 9)).toEnd();
    expect((await compare(healthy, whole)).verdict).toBe('refused');
    const comparison = await compare(healthy, whole, { allow: ['positions', 'tokens', 'rows'], model });
    expect(comparison.verdict, comparison.summary).toBe('agree');
    const pattern = comparison.tensors.find(({ name }) => name === 'kq_soft_max-1') as TensorComparison;
    expect(pattern.shape).toEqual([4, 9, 9]);
    expect(pattern.coverage).toBe(1);
  });
});

test('after the first divergence the residual stream is told to hand on what came in, or to be broken again', async () => {
  const reference = await model.start(TOKENS).toEnd();
  const standings = async (...broken: string[]) => {
    const faulty = model.with(...broken.map((name) => edit(name, (tensor) => tensor.scale(1.1))));
    const { tensors } = await compare(await faulty.start(TOKENS).toEnd(), reference, { model, cause: false });
    return Object.fromEntries(tensors.map(({ name, status, isolation }) => [name, isolation?.outcome ?? status]));
  };
  const inherited = {
    'l_out-1': 'inherited',
    'l_out-2': 'inherited',
    result_norm: 'inherited',
    result_output: 'inherited',
  };
  expect(await standings('ffn_up-1')).toMatchObject({ 'l_out-0': 'equal', 'ffn_up-1': 'made', ...inherited });
  expect(await standings('ffn_up-1', 'l_out-2')).toMatchObject({ ...inherited, 'l_out-2': 'made' });
  // Of the others nothing is known but that they are beyond.
  expect(await standings('ffn_up-1')).toMatchObject({ 'ffn_swiglu-1': 'beyond' });
});

test('a reference that is broken hands on too', async () => {
  const broken = await model
    .with(edit('ffn_up-1', (tensor) => tensor.scale(1.1)))
    .start(TOKENS)
    .toEnd();
  const { firstDivergence, tensors } = await compare(await model.start(TOKENS).toEnd(), broken, {
    model,
    cause: false,
  });
  expect(firstDivergence?.isolation?.madeBy).toBe('reference');
  expect(tensors.find(({ name }) => name === 'result_output')?.isolation?.outcome).toBe('inherited');
});

test('a comparison can be stopped, and tells how far it is', async () => {
  const seen: string[] = [];
  const controller = new AbortController();
  const options: CompareOptions = {
    signal: controller.signal,
    onProgress: ({ item }) => {
      seen.push(item);
      if (seen.length === 5) controller.abort();
    },
  };
  await expect(compare(healthy, healthy, options)).rejects.toThrow('Cannot compare: interrupted');
  expect(seen).toHaveLength(5);
});

test('the cell that shows it again names the step, the side and the element', async () => {
  const broken = await model.with(
    edit('kq-1', (kq) => kq.map((x, head, token) => (head === 2 && token === 5 ? -x : x))),
  );
  const { firstDivergence } = await compare(await broken.start(TOKENS).toEnd(), await model.start(TOKENS).toEnd());
  expect(firstDivergence).toMatchObject({ name: 'kq-1', head: 2, token: 5 });
  expect(firstDivergence?.reproduction).toContain(`await rerun(model, "kq-1", recorded)`);
  expect(firstDivergence?.reproduction).toContain(`.at(${firstDivergence?.index.join(', ')})`);
});
