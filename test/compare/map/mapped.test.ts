import { beforeAll, describe, expect, test } from 'vitest';
import { mapped } from '../../../src/compare/map/mapped.ts';
import type { Match } from '../../../src/compare/map/tensor_map.ts';
import { RowTrace, type Trace } from '../../../src/trace/trace.ts';
import { openRandom } from '../../engine/models.ts';
import { traceRow } from '../../trace/rows.ts';
import { traceOf } from './foreign_dumps.ts';

let ours: Trace;

beforeAll(async () => {
  const model = await openRandom('reference');
  const run = await model.start([1, 2, 3]).toEnd();
  await run.generate(2);
  ours = run.trace;
});

const match = (theirs: string, name: string, layout = 'as ours'): Match => ({
  theirs,
  ours: name,
  layout,
  score: 1,
  evidence: [],
  certain: true,
});

/** Their q is ours head-major, their x is l_out-0 as it is, `Qcur-0` is something else. */
async function dumped(): Promise<Trace> {
  const q = await ours.tensor('Qcur-0', { pass: 0 });
  const [nTokens, nHead, dim] = q.shape as [number, number, number];
  const headMajor = Float32Array.from(q.data, (_, i) => {
    const [head, token] = [Math.floor(i / (nTokens * dim)), Math.floor(i / dim) % nTokens];
    return q.data[(token * nHead + head) * dim + (i % dim)]!;
  });
  const x = await ours.tensor('l_out-0', { pass: 0 });
  const next = await ours.tensor('l_out-0', { pass: 1 });
  return traceOf([
    { key: 'x', row: { name: 'x', shape: x.shape }, data: x.data },
    { key: 'q', row: { name: 'q', shape: [nHead, nTokens, dim] }, data: headMajor },
    { key: 'Qcur-0', row: { name: 'Qcur-0', shape: [4] }, data: Float32Array.of(1, 2, 3, 4) },
    { key: 'x', row: { name: 'x', shape: next.shape, pass: 1, pos0: 3 }, data: next.data },
  ]);
}

describe('mapped', () => {
  const matches = [match('q', 'Qcur-0', 'head-major'), match('x', 'l_out-0')];

  test('gives the dump our names, aliases, dims and order, in every pass, and keeps what is none of ours', async () => {
    const trace = mapped(await dumped(), { matches }, ours);
    expect(
      trace.entries.map(({ seq, pass, name, hf, layer, op, dims }) => [seq, pass, name, hf, layer, op, dims.join()]),
    ).toEqual([
      [0, 0, 'Qcur-0', 'model.layers.0.self_attn.q_proj', 0, 'mul_mat', 'token,head,dim'],
      [1, 0, 'l_out-0', 'hidden_states[1]', 0, 'add', 'token,embd'],
      [2, 0, 'dump:Qcur-0', null, null, '', 'axis0'],
      [3, 1, 'l_out-0', 'hidden_states[1]', 0, 'add', 'token,embd'],
    ]);
    expect(trace.entries.map(({ step }) => step)).toEqual(['q', 'x', 'Qcur-0', 'x']);
  });

  test('stands at the positions of our run: a dump read under its own names knows none', async () => {
    const dump = await dumped();
    const nowhere = new RowTrace({
      manifest: {},
      entries: dump.entries.map((row) => ({ ...row, pos0: 0 })),
      values: async ({ name, pass }) => (await dump.tensor(name, { pass })).data,
      source: 'a dump',
    });
    const found = mapped(nowhere, { matches }, ours).entries.filter(({ name }) => name === 'l_out-0');
    expect(found.map(({ pass, pos0 }) => [pass, pos0])).toEqual([
      [0, 0],
      [1, 3],
    ]);
  });

  test('brings values into our layout, each pass its own', async () => {
    const trace = mapped(await dumped(), { matches }, ours);
    const q = await ours.tensor('Qcur-0', { pass: 0 });
    expect(await trace.tensor('Qcur-0')).toEqual(q);
    expect(await trace.tensor('l_out-0', { pass: 1 })).toEqual(await ours.tensor('l_out-0', { pass: 1 }));
    expect((await trace.tensor('dump:Qcur-0')).data).toEqual(Float32Array.of(1, 2, 3, 4));
  });

  test('statistics that do not depend on the order stay; the hash, which does, is not claimed', async () => {
    const trace = mapped(await dumped(), { matches }, ours);
    const [row] = trace.select('Qcur-0');
    const our = ours.select('Qcur-0')[0]!;
    expect(row!.statistics.hash64).toBe('');
    expect(row!.statistics.rms).toBeCloseTo(our.statistics.rms, 6);
    expect(row!.statistics.max).toBe(our.statistics.max);
  });

  test('what a log printed is laid into our order too, copies and padding left out', () => {
    const [our] = ours.select('kq-0');
    const [nHead, nTokens, nKeys] = our!.shape as [number, number, number];
    const sample = { offsets: Uint32Array.of(0, 1, 7, 8), values: Float32Array.of(0.5, 1, 7, 8), resolution: 1e-4 };
    const statistics = { ...our!.statistics, n: 0 };
    const partly = { known: ['sum' as const, 'hash64' as const], sumResolution: 1e-4, sample };
    const row = traceRow({ name: 's', shape: [nHead, nTokens, 8], statistics, hasValues: false, partly });
    const dump = new RowTrace({
      manifest: {},
      entries: [row],
      source: 'a log',
      values: async () => new Float32Array(),
    });
    const trace = mapped(dump, { matches: [match('s', 'kq-0', 'keys padded, scaled by 1/√4')] }, ours);
    expect(trace.entries[0]!.partly).toEqual({
      known: ['sum'],
      sumResolution: 2e-4,
      sample: { offsets: Uint32Array.of(0, 1, nKeys), values: Float32Array.of(1, 2, 16), resolution: 2e-4 },
    });
  });

  test('two tensors of one name in a pass are two', async () => {
    const x = await ours.tensor('l_out-0', { pass: 0 });
    const y = await ours.tensor('l_out-1', { pass: 0 });
    const dump = traceOf([x, y].map(({ shape, data }) => ({ key: 'h', row: { name: 'h', shape }, data })));
    const trace = mapped(dump, { matches: [match('h', 'l_out-0'), match('h#2', 'l_out-1')] }, ours);
    expect((await trace.tensor('l_out-0')).data).toEqual(x.data);
    expect((await trace.tensor('l_out-1')).data).toEqual(y.data);
  });

  test('a map of another dump, of another model, or with a layout that cannot be, is refused by name', async () => {
    const dump = await dumped();
    const cannot = (one: Match) => () => mapped(dump, { matches: [one] }, ours);
    expect(cannot(match('k', 'Kcur-0'))).toThrow(/^Cannot map k to Kcur-0: the dump has no tensor k; mend the map/);
    expect(cannot(match('q', 'Qcur-9'))).toThrow(/^Cannot map q to Qcur-9: our run has no tensor Qcur-9/);
    expect(cannot(match('q', 'embd'))).toThrow(/^Cannot bring a tensor \[4,3,16\] into our shape \[3,64\]/);
  });
});
