/** Dumps: in files, of llama.cpp, of other axes, and with nothing in them. */
import { expect, test } from 'vitest';
import { checkTrace } from '../../../src/compare/checks/check_trace.ts';
import { checks } from '../../../src/compare/checks/index.ts';
import { InterruptedError, UsageError } from '../../../src/errors.ts';
import { openModel } from '../../../src/node/index.ts';
import { llamaCpp, oracleAvailable } from '../../../src/oracle/index.ts';
import { openArrowTrace } from '../../../src/trace/arrow_reader.ts';
import { RowTrace } from '../../../src/trace/trace.ts';
import { openRandom } from '../../engine/models.ts';
import { arrowBytesOf, memorySource } from '../../trace/rows.ts';
import { changed, failed, resultOf, TOKENS } from './bugs.ts';

test('a trace read back from Arrow is checked as the run was', async () => {
  const model = await openRandom('reference');
  const run = await model.start(TOKENS).generate(2);
  await run.toEnd();
  const { trace } = run;
  const tensors = await Promise.all(
    trace.entries.map(async (row) => ({ row, values: (await trace.tensor(row.name, { pass: row.pass })).data })),
  );
  const read = await openArrowTrace(memorySource(await arrowBytesOf(trace.manifest, tensors, trace.end)));
  const [ours, theirs] = [await checkTrace(trace, { model }), await checkTrace(read, { model })];
  expect(theirs).toEqual(ours);
  expect(failed(theirs)).toEqual([]);
  expect(theirs.results.filter(({ outcome }) => outcome === 'passed')).toHaveLength(checks.length - 4);
});

const missing = oracleAvailable();

test.skipIf(missing !== null)(
  "llama.cpp's own tensors pass every check that they allow, quantised activations and all",
  async () => {
    for (const type of ['q8_0', 'q4_k_m', 'f16']) {
      const model = await openModel(new URL(`../../../fixtures/lily-4m-${type}.gguf`, import.meta.url).pathname, {
        backend: 'reference',
      });
      const oracle = await llamaCpp(model);
      const report = await checkTrace(await oracle.trace([1, 301, 27, 301, 900, 27, 8]), { model });
      await oracle.close();
      expect(failed(report), type).toEqual([]);
      expect(report.results.filter(({ outcome }) => outcome === 'passed').length, type).toBe(checks.length - 4);
      await model.close();
    }
  },
);

test('axes that are not by head are named, not guessed', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const entries = trace.entries.map((row) =>
    row.name === 'Vcur-1' ? { ...row, shape: [TOKENS.length, 32], dims: ['token', 'axis1'] } : row,
  );
  const flat = new RowTrace({
    manifest: trace.manifest,
    entries,
    values: async ({ name }) => (await trace.tensor(name)).data,
    source: 'a test',
  });
  const { outcome, leftOut } = resultOf(await checkTrace(flat, { model }), 'first-token');
  expect(outcome).toBe('passed');
  expect(leftOut).toEqual([
    { tensor: 'kqv_out-i', layers: [1], why: 'it is [token, head, dim] and V [token, axis1], not by head' },
  ]);
});

test('tensors of fewer tokens than the others are left out and counted', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const entries = trace.entries.map((row) => (row.name === 'l_out-2' ? { ...row, shape: [1, 64] } : row));
  const last = new RowTrace({
    manifest: trace.manifest,
    entries,
    values: async ({ name, shape }) => (await trace.tensor(name)).data.slice(-shape.reduce((a, b) => a * b)),
    source: 'a test',
  });
  const { leftOut } = resultOf(await checkTrace(last, { model }), 'residual');
  expect(leftOut).toEqual([{ tensor: 'l_out-i', layers: [2], why: 'it holds 1 of 8 tokens' }]);
});

test('an empty trace is refused, and a stopped check says so', async () => {
  const empty = new RowTrace({ manifest: {}, entries: [], values: async () => new Float32Array(), source: 'a test' });
  await expect(checkTrace(empty)).rejects.toThrow(UsageError);
  const { trace } = await (await openRandom('reference')).start(TOKENS).toEnd();
  await expect(checkTrace(trace, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
});

test('a dump of another engine is suspected where its numbers do not fit each other', async () => {
  const model = await openRandom('reference');
  const { trace } = await model.start(TOKENS).toEnd();
  const theirs = changed(trace, { 'attn_out-1': (tensor) => tensor.scale(1.1) });
  expect(failed(await checkTrace(theirs, { model }))).toEqual(['products', 'first-token', 'residual']);
});
