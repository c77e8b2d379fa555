import { afterAll, describe, expect, test } from 'vitest';
import { deadTensors } from '../../../src/llama/dead_tensors.ts';
import { readDump } from '../../../src/node/dump.ts';
import type { Trace, TraceRow } from '../../../src/trace/trace.ts';
import { openRandom } from '../../engine/models.ts';
import { seeded } from '../../seeded.ts';
import { Folder, neverCrashes } from './traced.ts';

const folder = new Folder();
afterAll(() => folder.remove());

/** The numbers of investigation 003: one layer, sums kept in f16, and a SiLU that gives zeros. */
const HUNT = `
# One layer

## Reference

| Step | Sum |
|------|-----|
| Embedding | 3.660156 |
| Layer 0 output | **4.902344** |
| Final norm | 774.0 |
| Logits (last token) | -34784.0 |
| Top prediction | id 26012, logit 5.8203 |

## Ours

| Step | Sum of values | Verdict |
|------|------|------|
| Embedding | 3.673828125 | ✅ close |
| x_norm (attn) | 82.875 | ✅ |
| Q | 29.21875 | ✅ |
| K | -1040 | ✅ |
| V | 1.6875 | ✅ |
| attn_out | 4.70703125 | ✅ |
| hidden_1 (after attn) | 8.3515625 | ✅ |
| x_norm2 (ffn) | 59.125 | ✅ |
| gate | -7884 | ✅ |
| up | 330.5 | ✅ |
| **silu_gate** | **0** | ❌ here! |
| gated | 0 | ❌ |
| ffn_out | 0 | ❌ |
| **Layer 0 output** | **8.3515625** | ❌ |
| Final norm | 790 | △ |
| Logits | inf | ❌ |
| Top prediction | id 29414 | ❌ |

- The same three times:

  | Run | Seconds |
  |---|---|
  | 1 | 2.5 |
`;

const ORDER = [
  'embd',
  'attn_norm-0',
  'Qcur-0',
  'Kcur-0',
  'Vcur-0',
  'attn_out-0',
  'ffn_inp-0',
  'ffn_norm-0',
  'ffn_gate-0',
  'ffn_up-0',
  'ffn_silu-0',
  'ffn_swiglu-0',
  'ffn_out-0',
  'l_out-0',
  'result_norm',
  'result_output',
];

const read = (text: string, table?: number | string, name = 'hunt.md'): Promise<Trace> =>
  readDump(folder.file(name, text), table === undefined ? {} : { table });
const sums = (trace: Trace) => trace.entries.map(({ statistics }) => statistics.sum);

test('a table in Markdown becomes a row for each tensor, whose sum alone is known', async () => {
  const trace = await read(HUNT, 'Ours');
  expect(trace.names).toEqual(ORDER);
  const row = trace.entries[2] as TraceRow;
  expect(row).toMatchObject({ name: 'Qcur-0', step: 'Q', layer: 0, hasValues: false, statistics: { sum: 29.21875 } });
  expect(row.partly).toMatchObject({ known: ['sum'], sample: null });
  expect(row.statistics.rms).toBeNaN();
});

test('one of several tables is chosen by its number or heading, in the path too; without, they are listed', async () => {
  expect(sums(await read(HUNT, 1))).toEqual([3.660156, 4.902344, 774, -34784]);
  const path = folder.file('hunt.md', HUNT);
  expect((await readDump(`${path}#2`)).names).toEqual(ORDER);
  expect((await readDump(`${path}#Refer`)).names).toHaveLength(4);
  await expect(read(HUNT)).rejects.toThrow(
    'it holds 2 tables of statistics: 1 (Reference), 2 (Ours); name one by its number',
  );
  await expect(read(HUNT, 'Theirs')).rejects.toThrow('0 of its tables are Theirs');
});

test('rows without a number and other tables are listed with why', async () => {
  expect((await read(HUNT, 2)).manifest.notRead).toEqual([
    { name: 'the table Reference', why: 'the table Ours was chosen' },
    { name: 'the table Ours', why: 'no column is a sum, mean, RMS, min or max (Run, Seconds)' },
    { name: 'Top prediction', why: 'id 29414, ❌ is no number' },
  ]);
});

test('sums that are all halves are noticed, and known no better than a half is', async () => {
  for (const table of [1, 2]) expect((await read(HUNT, table)).manifest.sumsKeptIn).toBe('f16');
  const trace = await read(HUNT, 2);
  const resolutionOf = (name: string) => trace.entries.find((row) => row.name === name)?.partly?.sumResolution;
  // -7884 lies between 4096 and 8192, where halves are 4 apart.
  expect([resolutionOf('ffn_gate-0'), resolutionOf('Kcur-0'), resolutionOf('Vcur-0')]).toEqual([2, 0.5, 2 ** -11]);
  const better = await read('| t | sum |\n|-|-|\n| q | 3.673828 |\n| k | 3.67412 |\n| v | 1.000001 |\n| up | 0.1 |\n');
  expect(better.manifest.sumsKeptIn).toBeUndefined();
  expect(better.entries.map(({ partly }) => partly?.sumResolution)).toEqual([5e-7, 5e-6, 5e-7, 0.05]);
});

test('a sum that overflowed is kept as infinity and named', async () => {
  const trace = await read(HUNT, 2);
  expect(trace.entries.at(-1)).toMatchObject({ statistics: { sum: Number.POSITIVE_INFINITY }, partly: { known: [] } });
  expect(trace.manifest.overflowedSums).toEqual(['result_output']);
});

test('the dead SiLU is found from the sums alone, and what follows from it is not blamed', async () => {
  const { steps } = await openRandom('reference', { nLayer: 1 });
  expect(deadTensors(await read(HUNT, 2), steps)).toEqual([
    { name: 'ffn_silu-0', pass: 0, inputs: ['ffn_gate-0'], isCertain: false },
  ]);
  expect(deadTensors(await read(HUNT, 1), steps)).toEqual([]);
  const run = await (await openRandom('reference')).start([1, 5, 9]).toEnd();
  expect(deadTensors(run.trace, run.steps)).toEqual([]);
});

test('a model gives the shapes, where the tokens are known', async () => {
  const model = await openRandom('reference');
  const trace = await readDump(folder.file('hunt.md', HUNT), { table: 2, model, tokens: [1, 5, 9] });
  expect(trace.entries.map(({ shape }) => shape.join()).slice(0, 4)).toEqual(['3,64', '3,64', '3,4,16', '3,2,16']);
  expect(trace.entries[2]).toMatchObject({ op: 'mul_mat', dims: ['token', 'head', 'dim'], statistics: { n: 192 } });
});

test('CSV with several statistics is read as well', async () => {
  const csv =
    'tensor,Mean,RMS,max abs,checksum\nlayer 1 / gate,0.5,1.25,7,"1,024"\nl_out-2,1e-3,2,3,nan\nwhat,1,2,3,4\n';
  const trace = await read(csv, undefined, 'x.csv');
  expect(
    trace.entries.map(({ name, statistics: { mean, rms, absmax, sum } }) => [name, mean, rms, absmax, sum]),
  ).toEqual([
    ['ffn_gate-1', 0.5, 1.25, 7, 1024],
    ['l_out-2', 1e-3, 2, 3, Number.NaN],
  ]);
  expect(trace.entries[0]?.partly).toMatchObject({ known: ['mean', 'rms', 'absmax', 'sum'], sumResolution: 0.5 });
  expect(trace.manifest).toMatchObject({ overflowedSums: ['l_out-2'], notRead: [{ name: 'what' }] });
});

describe('bad input is named', () => {
  test('a text without such a table', async () => {
    await expect(read('| a | b |\n|---|---|\n| 1 | 2 |\n')).rejects.toThrow(
      'none of its 1 tables has a column of statistics; wanted a CSV or Markdown table with names in its first column',
    );
    await expect(read('just words\n')).rejects.toThrow(
      /^Cannot read the dump .*hunt\.md: it begins with "just words\\n"; known are logs of llama-eval-callback/,
    );
  });

  test('a CSV that breaks off in a quotation', async () => {
    await expect(read('t,sum\nq,"1', undefined, 'x.csv')).rejects.toThrow(/x\.csv: it is no CSV \(Quote Not Closed/);
  });

  test('whatever character is lost or wrong, nothing but our errors comes of it', async () => {
    const random = seeded(12);
    for (let i = 0; i < 200; i++) {
      const at = Math.floor(random() * HUNT.length);
      const wrong = String.fromCharCode(32 + Math.floor(random() * 90));
      const text = i % 3 === 0 ? HUNT.slice(0, at) : HUNT.slice(0, at) + wrong + HUNT.slice(at + 1);
      await neverCrashes(() => read(text, 2));
    }
  });
});
