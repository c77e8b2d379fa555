import {
  Field,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  LargeList,
  List,
  Schema,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readDump } from '../../../src/node/dump.ts';
import { seeded } from '../../seeded.ts';
import { arrowBytesOf } from '../rows.ts';
import { expectSame, Folder, neverCrashes, TOKENS, type Traced, traced } from './traced.ts';

let run: Traced;
const folder = new Folder();
beforeAll(async () => {
  run = await traced();
});
afterAll(() => folder.remove());

const WIDTHS = {
  'list<float>': new List(new Field('item', new Float32())),
  'list<double>': new List(new Field('item', new Float64())),
  'large_list<double>': new LargeList(new Field('item', new Float64())),
} as const;

/** A table as a script would make it: name, shape and values, all rows in one batch. */
function table(width: keyof typeof WIDTHS, names: Iterable<string> = run.tensors.keys()): Table {
  const rows = [...names].map((name) => run.tensors.get(name)!);
  const shapes = rows.map(({ shape }) => shape.map(BigInt));
  return new Table({
    name: vectorFromArray(
      rows.map(({ name }) => name),
      new Utf8(),
    ),
    shape: vectorFromArray(shapes, new List(new Field('item', new Int64()))),
    values: vectorFromArray(
      rows.map(({ data }) => [...data]),
      WIDTHS[width],
    ),
  });
}

const options = () => ({ model: run.model, tokens: TOKENS });

test.for(Object.keys(WIDTHS).flatMap((width) => ['file', 'stream'].map((kind) => [width, kind] as const)))(
  'values as %s in a %s are the run they were written from, in every bit',
  async ([width, kind]) => {
    const bytes = tableToIPC(table(width as keyof typeof WIDTHS), kind as 'file' | 'stream');
    await expectSame(await readDump(folder.file('x.arrow', bytes), options()), run);
  },
);

test.each([
  [new Float16(), 'f16'],
  [new Float32(), 'f32'],
  [new Float64(), 'f64'],
] as const)('values of type %s are %s, by which their precision is judged', async (type, dtype) => {
  const embd = run.tensors.get('embd')!;
  const columns = {
    name: vectorFromArray(['embd'], new Utf8()),
    values: vectorFromArray([[...embd.data]], new List(new Field('item', type))),
  };
  const trace = await readDump(folder.file('x.arrow', tableToIPC(new Table(columns), 'file')), options());
  expect(trace.entries.map(({ srcDtype }) => srcDtype)).toEqual([dtype]);
});

test('a trace of ours is read as the trace it is, with its manifest and without a model', async () => {
  const tensors = run.trace.entries.map((row) => ({ row, values: run.tensors.get(row.name)!.data }));
  const path = folder.file('ours.arrow', await arrowBytesOf(run.trace.manifest, tensors));
  const trace = await readDump(path);
  expect(trace.manifest).toEqual(JSON.parse(JSON.stringify(run.trace.manifest)));
  await expectSame(trace, run);
});

describe('bad input is named', () => {
  test('a file without names', async () => {
    const bytes = tableToIPC(new Table({ x: vectorFromArray([1, 2], new Int32()) }), 'file');
    await expect(readDump(folder.file('x.arrow', bytes))).rejects.toThrow(
      /it has no column name and values; its columns are x\. Write one tensor in each row/,
    );
  });

  test('a shape that does not fit the values, which is left out by name', async () => {
    const rows = {
      name: ['embd', 'l_out-0'],
      shape: [
        [7, 64],
        [7, 63],
      ],
      values: ['embd', 'l_out-0'],
    };
    const bytes = tableToIPC(
      new Table({
        name: vectorFromArray(rows.name, new Utf8()),
        shape: vectorFromArray(rows.shape, new List(new Field('item', new Int32()))),
        values: vectorFromArray(
          rows.values.map((name) => [...run.tensors.get(name)!.data]),
          WIDTHS['list<float>'],
        ),
      }),
      'file',
    );
    const trace = await readDump(folder.file('x.arrow', bytes), options());
    await expectSame(trace, run, ['embd']);
    expect(trace.manifest.notRead).toEqual([{ name: 'l_out-0', why: 'its shape [7,63] and its 448 values disagree' }]);
  });

  test('a file and a stream that are cut off', async () => {
    for (const kind of ['file', 'stream'] as const) {
      const bytes = tableToIPC(table('list<float>'), kind);
      const path = folder.file('x.arrow', bytes.subarray(0, Math.floor(bytes.length / 2)));
      await expect(readDump(path, options())).rejects.toThrow(/^Cannot read the trace .*(cut short|claims)/);
    }
  });

  test('an empty table', async () => {
    const schema = new Schema([new Field('name', new Utf8()), new Field('values', WIDTHS['list<float>'])]);
    const empty = new Table(schema, []);
    await expect(readDump(folder.file('x.arrow', tableToIPC(empty, 'file')))).rejects.toThrow('it holds no tensors');
  });

  test('whatever byte is lost or wrong, nothing but our errors comes of it', async () => {
    const random = seeded(9);
    for (const kind of ['file', 'stream'] as const) {
      const whole = tableToIPC(table('list<double>', ['embd', 'attn_norm-0']), kind);
      const ends = Math.min(whole.length, 1500);
      for (let i = 0; i < 150; i++) {
        const near = Math.floor(random() * ends);
        const at = i % 2 === 0 ? near : whole.length - 1 - near;
        const bytes = Uint8Array.from(whole);
        bytes[at]! ^= 1 << Math.floor(random() * 8);
        const content = i % 5 === 0 ? whole.subarray(0, at) : bytes;
        if (content.length === 0) continue;
        await neverCrashes(() => readDump(folder.file('y.arrow', content), { ...options(), format: 'arrow' }));
      }
    }
  });
});
