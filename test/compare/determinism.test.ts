import { expect, test } from 'vitest';
import { determinism, firstUnstable } from '../../src/compare/determinism.ts';
import { edit } from '../../src/engine/transforms/edit.ts';
import { InterruptedError, UsageError } from '../../src/errors.ts';
import { RowTrace, type Trace, type TraceRow } from '../../src/trace/trace.ts';
import { backends, openRandom } from '../engine/models.ts';
import { seeded } from '../seeded.ts';

const TOKENS = [1, 40, 77, 105, 260];

/** Adds noise that is other in every run to one element. */
function unsteady(name: string, size: number) {
  const random = seeded(5);
  return edit(name, (tensor) => {
    const moved = size * random();
    return tensor.map((x, token, i) => (token === 2 && i === 7 ? x + moved : x));
  });
}

test.each(backends)('a run is the same each time, on %s', async (backend) => {
  const model = await openRandom(backend);
  expect(await determinism(model, TOKENS)).toEqual({
    ...{ isStable: true, runs: 3, tensors: model.steps.length, unstable: 0, first: null, notCompared: [] },
  });
});

test.each(backends)(
  'the first tensor that differs is named, with its spread and where it is, on %s',
  async (backend) => {
    const model = (await openRandom(backend)).with(unsteady('ffn_out-1', 0.1));
    const { isStable, first, unstable } = await determinism(model, TOKENS, { runs: 4 });
    expect(isStable).toBe(false);
    expect(first).toMatchObject({ name: 'ffn_out-1', op: 'mul_mat', layer: 1, pass: 0 });
    expect(new Set(first?.hashes).size).toBe(4);
    expect(first?.spread).toMatchObject({ differing: 1, n: 5 * 64, at: { index: [2, 7], token: 2, head: null } });
    expect(first?.spread?.largest).toBeGreaterThan(0.001);
    expect(first?.spread?.largest).toBeLessThan(0.1);
    expect(first?.spread?.values).toHaveLength(4);
    expect(first?.usualCauses[0]).toContain('split-K');
    // It and all that comes after it.
    expect(unstable).toBe(model.steps.length - model.steps.findIndex(({ name }) => name === 'ffn_out-1'));
  },
);

/** A trace with other values, or none, for some tensors. */
function foreign(
  trace: Trace,
  change: (row: TraceRow) => Partial<TraceRow> | null,
  values = (row: TraceRow) => trace.tensor(row.name).then(({ data }) => data),
): RowTrace {
  const entries = trace.entries.flatMap((row) => {
    const over = change(row);
    return over ? [{ ...row, hasValues: row.hasValues, statistics: row.statistics, ...over }] : [];
  });
  return new RowTrace({ manifest: trace.manifest, entries, values, source: 'a test' });
}

test('of dumps too the first that differs is named, and what only some hold is counted', async () => {
  const model = await openRandom('reference');
  const [steady, other] = [model, model.with(unsteady('kqv_out-2', 0))];
  const traces = [await steady.start(TOKENS).toEnd(), await steady.start(TOKENS).toEnd()].map(({ trace }) => trace);
  const shaken = (
    await other
      .with(edit('l_out-0', (tensor) => tensor.map((x, token, i) => (token === 4 && i === 3 ? x + 0.5 : x))))
      .start(TOKENS)
      .toEnd()
  ).trace;
  const lacking = foreign(shaken, ({ name }) => (name === 'embd' ? null : {}));
  const { first, notCompared, tensors } = await firstUnstable([...traces, lacking]);
  expect(first).toMatchObject({ name: 'l_out-0', spread: { differing: 1, at: { index: [4, 3], token: 4 } } });
  expect(first?.spread?.largest).toBeCloseTo(0.5, 6);
  expect(notCompared).toEqual([{ name: 'embd', why: '1 of 3 runs do not hold it' }]);
  expect(tensors).toBe(model.steps.length - 1);
});

test('sums alone name a tensor too, and what tells nothing is not counted as the same', async () => {
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  const sums = (known: ('sum' | 'mean')[], sum: number) =>
    foreign(trace, (row) => ({
      hasValues: false,
      partly: { known: row.name === 'ffn_silu-1' ? known : ['sum'], sumResolution: 0, sample: null },
      statistics: { ...row.statistics, hash64: '', sum: row.name === 'ffn_silu-1' ? sum : row.statistics.sum },
    }));
  const { first } = await firstUnstable([sums(['sum'], 0), sums(['sum'], 0), sums(['sum'], 22893)]);
  expect(first).toMatchObject({ name: 'ffn_silu-1', sums: [0, 0, 22893], hashes: [null, null, null], spread: null });
  expect(first?.usualCauses.join()).not.toContain('rounding');
  const untold = await firstUnstable([sums(['mean'], 0), sums(['mean'], 1)]);
  expect(untold).toMatchObject({
    isStable: true,
    notCompared: [{ name: 'ffn_silu-1', why: 'neither its values nor its sum are told' }],
  });
});

test('one run, other tokens and a stop are refused', async () => {
  const model = await openRandom('reference');
  await expect(determinism(model, TOKENS, { runs: 1 })).rejects.toThrow('Cannot tell whether 1 runs are the same');
  const [a, b] = [await model.start(TOKENS).toEnd(), await model.start([1, 2]).toEnd()];
  await expect(firstUnstable([a.trace, b.trace])).rejects.toThrow(UsageError);
  await expect(firstUnstable([a.trace])).rejects.toThrow(UsageError);
  await expect(determinism(model, TOKENS, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
});
