/**
 * What cannot be had where the tests run. Each of these tests runs where its need is met, and is skipped with the reason
 * given in unavailable.json otherwise; that list holds what is skipped and nothing else.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { joinBytes } from '../src/gguf/bytes.ts';
import { readGguf } from '../src/gguf/reader.ts';
import { openFile } from '../src/node/files.ts';
import { createTokenizer } from '../src/tokenizer/tokenizer.ts';
import { ArrowTraceWriter } from '../src/trace/arrow_writer.ts';
import { statisticsOf } from '../src/trace/statistics.ts';
import { skipUnavailable, unavailableList } from './skip.ts';

const VALUES = Float32Array.of(3, -4, 0, 1.5, 2, -0.25);
let folder: string;
let trace: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'layerscope-readers-'));
  trace = join(folder, 'trace.arrow');
  writeFileSync(trace, await traceBytes());
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A trace of `embd` with its values and of `l_out-0` with its statistics alone. */
async function traceBytes(): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const writer = new ArrowTraceWriter({ write: async (bytes) => void pieces.push(bytes.slice()) }, { prompt: 'Lily' });
  const row = {
    run: 'r',
    pass: 0,
    hook: null,
    hf: null,
    layer: null,
    op: 'get_rows',
    pos0: 0,
    srcDtype: 'f32',
    shape: [2, 3],
    dims: ['token', 'embd'],
    statistics: statisticsOf(VALUES),
    sha256: null,
  };
  await writer.append({ ...row, seq: 0, step: 'embd', name: 'embd', hasValues: true }, VALUES);
  await writer.append({ ...row, seq: 1, step: 'l_out-0', name: 'l_out-0', layer: 0, hasValues: false });
  await writer.end();
  return joinBytes(pieces);
}

/** What a Python program prints as JSON; undefined where this machine's Python lacks one of `modules`. */
function python(modules: readonly string[], program: string): unknown {
  const command = process.env.LAYERSCOPE_PYTHON ?? 'python3';
  const run = (code: string) => spawnSync(command, ['-c', code, trace], { encoding: 'utf8' });
  if (run(`import ${modules.join(', ')}`).status !== 0) return undefined;
  const { status, stdout, stderr } = run(program);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const AS_READ = [
  ['embd', null, [2, 3], 2.25, 0, Array.from(VALUES)],
  ['l_out-0', 0, [2, 3], 2.25, 0, null],
];

test('pyarrow opens the trace as it is, with the right values', (context) => {
  const rows = python(
    ['pyarrow.ipc'],
    `
import json, sys, pyarrow
with pyarrow.memory_map(sys.argv[1]) as file:
    rows = pyarrow.ipc.open_file(file).read_all().to_pylist()
names = ["name", "layer", "shape", "sum", "nan_count", "values"]
print(json.dumps([[row[name] for name in names] for row in rows if row["name"] != "__end__"]))`,
  );
  if (rows === undefined) skipUnavailable(context, 'pyarrow');
  expect(rows).toEqual(AS_READ);
});

test('DuckDB queries the trace, with the right values', (context) => {
  const rows = python(
    ['duckdb', 'pyarrow.ipc'],
    `
import json, sys, duckdb, pyarrow
trace = pyarrow.ipc.open_file(pyarrow.memory_map(sys.argv[1])).read_all()
rows = duckdb.sql("""select name, layer, shape, sum, nan_count, "values" from trace
                     where name <> '__end__' order by seq""").fetchall()
print(json.dumps(rows))`,
  );
  if (rows === undefined) skipUnavailable(context, 'duckdb');
  expect(rows).toEqual(AS_READ);
});

test("with the Llama-2 vocabulary, ids are the pieces that the investigations' notes give", async (context) => {
  const path = process.env.LAYERSCOPE_LLAMA2_GGUF;
  if (path === undefined) skipUnavailable(context, 'llama-2-vocabulary');
  const source = await openFile(path);
  const tokenizer = createTokenizer((await readGguf(source)).metadata, path);
  await source.close();
  expect(tokenizer.encode('Hello', { bos: false })).toEqual([15043]);
  expect([2354, 29415, 1744, 4305].map((id) => tokenizer.decode([id]).trim())).toEqual([
    'ily',
    'isser',
    'SB',
    'ragment',
  ]);
});

test('the list of what is unavailable names what tests skip, and nothing else', () => {
  const tests = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' });
  const skipped = tests
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => readFileSync(new URL(path, import.meta.url), 'utf8'))
    .flatMap((text) => [...text.matchAll(/\bskipUnavailable\(\w+, '([^']+)'\)/g)].map((match) => match[1]));
  expect([...new Set(skipped)].sort()).toEqual(unavailableList.map(({ id }) => id).sort());
  for (const { id, what, reason, instead } of unavailableList) {
    for (const text of [what, reason, instead]) expect(text, id).not.toBe('');
  }
});
