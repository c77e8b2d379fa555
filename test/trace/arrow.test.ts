import { RecordBatchReader, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import polars from 'nodejs-polars';
import { describe, expect, it } from 'vitest';
import { TraceError } from '../../src/errors.ts';
import { openArrowTrace } from '../../src/trace/arrow_reader.ts';
import { ArrowTraceWriter, arrowBytes } from '../../src/trace/arrow_writer.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import type { TraceRow } from '../../src/trace/trace.ts';
import { normals, seeded } from '../seeded.ts';
import { arrowBytesOf, memorySource, rowFor } from './rows.ts';

const manifest = { producer: 'layerscope', tokens: [1, 2, 3], pieces: ['▁Tom', '雪', '<0xE3>'], prompt: 'Tom "雪"' };

interface Item {
  row: TraceRow;
  values: Float32Array | undefined;
}

/** A small run: two layers over three passes, `kq` without values, one tensor with NaN, Inf and -0. */
function items(): Item[] {
  const random = seeded(1);
  const all: Item[] = [];
  for (let pass = 0; pass < 3; pass++) {
    for (let layer = 0; layer < 2; layer++) {
      const kq = normals(random, 5);
      const out = normals(random, 300, 2);
      if (pass === 1) out.set([NaN, Infinity, -0, 1e-45]);
      const common = { pass, layer, pos0: pass === 0 ? 0 : 2 + pass };
      all.push({
        row: rowFor(`kq-${layer}`, kq, { ...common, seq: all.length, op: 'kq', hasValues: false }),
        values: undefined,
      });
      const hook = `blocks.${layer}.hook_resid_post`;
      all.push({ row: rowFor(`l_out-${layer}`, out, { ...common, seq: all.length, hook }), values: out });
    }
  }
  all.push({ row: rowFor('none', new Float32Array(0), { seq: all.length, layer: null }), values: new Float32Array(0) });
  return all;
}

const end = { sampled: [7, 8], stages: [{ name: 'top_k', kept: 40 }] };

function bitsOf(values: Float32Array | undefined): number[] {
  return [...new Uint32Array(values!.slice().buffer)];
}

describe('a trace in Arrow', () => {
  it('comes back as it was written: manifest, end, rows, and every bit of the values', async () => {
    const written = items();
    const trace = await openArrowTrace(memorySource(await arrowBytesOf(manifest, written, end)));
    expect(trace.manifest).toEqual(manifest);
    expect(trace.end).toEqual(end);
    expect(trace.entries).toEqual(written.map(({ row }) => row));
    for (const { row, values } of written) {
      if (!values) continue;
      const tensor = await trace.tensor(row.name, { pass: row.pass });
      expect(tensor.shape).toEqual(row.shape);
      expect(bitsOf(tensor.data)).toEqual(bitsOf(values));
      expect(statisticsOf(tensor.data)).toEqual(row.statistics);
    }
    await expect(trace.tensor('kq-0')).rejects.toThrow('only its statistics were kept');
  });

  it('has the schema of DESIGN.md, in order, with the manifest in its metadata', async () => {
    const table = tableFromIPC(await arrowBytesOf(manifest, items()));
    expect(table.schema.fields.map((field) => `${field.name} ${field.type}${field.nullable ? '?' : ''}`)).toEqual([
      'run Utf8',
      'seq Int32',
      'pass Int32',
      'step Utf8',
      'name Utf8',
      'hook Utf8?',
      'hf Utf8?',
      'layer Int32?',
      'op Utf8',
      'pos0 Int32',
      'src_dtype Utf8',
      'shape List<Int32>',
      'dims List<Utf8>',
      'n Int64',
      'sum Float64',
      'mean Float64',
      'rms Float64',
      'min Float32?',
      'max Float32?',
      'absmax Float32?',
      'nan_count Int32',
      'inf_count Int32',
      'zero_count Int32',
      'hash64 Utf8',
      'sha256 Utf8?',
      'values List<Float32>?',
    ]);
    expect(JSON.parse(table.schema.metadata.get('layerscope.manifest')!)).toEqual(manifest);
    expect(table.batches.map(({ numRows }) => numRows)).toEqual(Array(14).fill(1));
    expect(table.getChild('name')!.get(13)).toBe('__end__');
  });

  it('begins with the schema message, so that readers of streams can read it too', async () => {
    const bytes = await arrowBytesOf(manifest, items());
    const reader = RecordBatchReader.from([bytes.slice(8)]);
    expect([...reader]).toHaveLength(14);
  });

  it('opens in polars with the right values', async () => {
    const written = items();
    const frame = polars.readIPC(Buffer.from(await arrowBytesOf(manifest, written, end)));
    expect(frame.height).toBe(written.length + 1);
    expect(frame.getColumn('name').toArray()).toEqual([...written.map(({ row }) => row.name), '__end__']);
    expect(frame.getColumn('n').toArray().map(Number)).toEqual([...written.map(({ row }) => row.statistics.n), 0]);
    expect(frame.getColumn('rms').toArray().slice(0, -1)).toEqual(written.map(({ row }) => row.statistics.rms));
    expect(frame.getColumn('min').toArray().slice(0, -1)).toEqual(written.map(({ row }) => row.statistics.min));
    expect(frame.getColumn('hook').toArray()).toEqual([...written.map(({ row }) => row.hook), null]);
    for (const [i, { row, values }] of written.entries()) {
      const { values: list, shape, dims } = frame.row(i).length ? frame.slice(i, 1).toRecords()[0]! : {};
      expect([...(shape as Iterable<number>)]).toEqual(row.shape);
      expect([...(dims as Iterable<string>)]).toEqual(row.dims);
      if (!values) expect(list).toBeNull();
      else expect(bitsOf(Float32Array.from(list as Iterable<number>))).toEqual(bitsOf(values));
    }
    const sums = frame
      .filter(polars.col('name').eq(polars.lit('l_out-0')))
      .getColumn('sum')
      .toArray();
    expect(sums).toEqual(written.filter(({ row }) => row.name === 'l_out-0').map(({ row }) => row.statistics.sum));
  });

  it('of many tensors is opened by reading its footer and last batch, and one batch more for a tensor', async () => {
    const values = normals(seeded(2), 25_000);
    const many = Array.from({ length: 100 }, (_, seq) => ({ row: rowFor(`x-${seq}`, values, { seq }), values }));
    const bytes = await arrowBytesOf(manifest, many);
    const source = memorySource(bytes);
    const trace = await openArrowTrace(source);
    expect(source.reads).toBe(4); // magic, tail, footer, __end__
    expect(source.bytesRead).toBeLessThan(0.01 * bytes.byteLength);
    const before = source.bytesRead;
    expect(bitsOf((await trace.tensor('x-42')).data)).toEqual(bitsOf(values));
    expect(source.reads).toBe(5);
    expect(source.bytesRead - before).toBeLessThan(values.byteLength + 4096);
    expect(trace.entries).toHaveLength(100);
    expect(source.reads).toBe(5);
  });

  it('is read without its end row too, as other programs may write it, and with its rows in fewer batches', async () => {
    const written = items();
    const table = tableFromIPC(await arrowBytesOf(manifest, written, end));
    const headless = tableToIPC(new Table(table.schema, table.batches.slice(0, -1)), 'file');
    const { data } = tableFromIPC(merged(await arrowBytesOf(manifest, written, end))).batches[0]!;
    expect(data.length).toBe(written.length + 1);
    for (const [bytes, ending] of [
      [headless, null],
      [merged(await arrowBytesOf(manifest, written, end)), end],
    ] as const) {
      const trace = await openArrowTrace(memorySource(bytes));
      expect(trace.end).toEqual(ending);
      expect(trace.entries).toEqual(written.map(({ row }) => row));
      expect(bitsOf((await trace.tensor('l_out-1', { pass: 1 })).data)).toEqual(bitsOf(written[7]!.values));
    }
  });

  it('takes memory for one tensor, however many there are, and does not copy its values', async () => {
    const values = normals(seeded(3), 100_000);
    let largest = 0;
    let views = 0;
    const write = async (bytes: Uint8Array) => {
      largest = Math.max(largest, bytes.byteLength);
      if (bytes.buffer === values.buffer) views++;
    };
    const writer = new ArrowTraceWriter({ write }, manifest);
    for (let seq = 0; seq < 50; seq++) await writer.append(rowFor(`x-${seq}`, values, { seq }), values);
    await writer.end();
    expect(views).toBe(50);
    expect(largest).toBeLessThanOrEqual(values.byteLength);
  });

  it('is as large as was foretold, within 2 %', async () => {
    const values = normals(seeded(4), 2048);
    const some = Array.from({ length: 200 }, (_, seq) => ({
      row: rowFor(`x-${seq}`, values, { seq, hook: 'blocks.0.hook_resid_post' }),
      values,
    }));
    const { byteLength } = await arrowBytesOf(manifest, some);
    expect(Math.abs(arrowBytes(200, 200 * 2048) / byteLength - 1)).toBeLessThan(0.02);
  });

  it('keeps batches whole when appends are not awaited one by one', async () => {
    const pieces: Uint8Array[] = [];
    const random = seeded(5);
    const write = async (bytes: Uint8Array) => {
      await new Promise((resolve) => setTimeout(resolve, random() * 2));
      pieces.push(bytes.slice());
    };
    const writer = new ArrowTraceWriter({ write }, manifest);
    await Promise.all([...items().map(({ row, values }) => writer.append(row, values)), writer.end(end)]);
    const trace = await openArrowTrace(memorySource(Buffer.concat(pieces)));
    expect(trace.entries).toEqual(items().map(({ row }) => row));
    await expect(writer.append(items()[0]!.row)).rejects.toThrow(
      'Cannot write kq-0: the trace has its end record already',
    );
  });

  it('refuses values that are not of the row’s shape', () => {
    const writer = new ArrowTraceWriter({ write: async () => undefined }, {});
    const row = rowFor('x', new Float32Array(6));
    expect(() => writer.append(row, new Float32Array(5))).toThrow(
      'Cannot write x: it has 5 values; wanted 6 for shape [1,6]',
    );
  });
});

describe('a broken Arrow file', () => {
  it('says what it is instead of a trace', async () => {
    const bytes = await arrowBytesOf(manifest, items());
    const other = tableToIPC(new Table({ a: tableFromIPC(bytes).getChild('seq')! }), 'file');
    const cases: [Uint8Array, string][] = [
      [
        new Uint8Array(0),
        'Cannot read the trace x.arrow: it has 0 bytes, less than the shortest Arrow file; write or copy',
      ],
      [Buffer.from('GGUF, and more than eighteen bytes'), 'it is no Arrow IPC file: it does not begin with ARROW1'],
      [bytes.slice(0, -1), 'it is cut short or still being written: it does not end with ARROW1'],
      [bytes.slice(0, bytes.length / 2), 'it is cut short or still being written'],
      [withInt32(bytes, bytes.length - 10, 2 ** 31 - 1), 'its footer claims 2147483647 bytes'],
      [withInt32(bytes, bytes.length - 10, -5), 'its footer claims -5 bytes'],
      [other, 'it is an Arrow file but no trace: it has no column run, seq, pass'],
    ];
    for (const [file, message] of cases) {
      await expect(openArrowTrace(memorySource(file))).rejects.toThrow(TraceError);
      await expect(openArrowTrace(memorySource(file))).rejects.toThrow(message);
    }
  });

  it('gives TraceError or a trace, whatever byte of it is wrong', async () => {
    const bytes = await arrowBytesOf(manifest, items().slice(0, 3), end);
    const random = seeded(6);
    let refused = 0;
    for (let trial = 0; trial < 600; trial++) {
      const mutant = bytes.slice();
      // The footer and the last batch decide what is read; half of the changes go there.
      const from = trial % 2 ? 0 : Math.floor(bytes.length * 0.6);
      mutant[from + Math.floor(random() * (bytes.length - from))] = Math.floor(random() * 256);
      try {
        const trace = await openArrowTrace(memorySource(mutant));
        for (const name of trace.names) await trace.tensor(name).catch(mustBeTraceError);
      } catch (error) {
        mustBeTraceError(error);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

function mustBeTraceError(error: unknown): void {
  if (!(error instanceof TraceError)) throw error;
}

function withInt32(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  new DataView(changed.buffer, changed.byteOffset).setInt32(at, value, true);
  return changed;
}

/** The file as polars writes it again: all rows in one batch, text and lists in its own types. */
function merged(bytes: Uint8Array): Uint8Array {
  return polars.readIPC(Buffer.from(bytes)).writeIPC();
}
