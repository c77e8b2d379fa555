/**
 * Writes a trace as an Arrow IPC file while the run goes on: one record batch per tensor, one row per batch, so memory
 * holds one tensor's values at a time and the small cells of all rows. Schema, batches and messages are apache-arrow's.
 */
import {
  type Data,
  DataType,
  type Float32,
  type Float64,
  type Int32,
  type Int64,
  Message,
  makeData,
  Precision,
  RecordBatch,
  RecordBatchFileWriter,
  type Schema,
  Struct,
} from 'apache-arrow';
import { TraceError } from '../errors.ts';
import { type Cell, COLUMNS, END_NAME, traceSchema, VALUES_TYPE } from './arrow_schema.ts';
import { statisticsOf } from './statistics.ts';
import type { EndRecord, Manifest, TraceRow } from './trace.ts';

/** Where the bytes go, in order. A view that it is given may change once the promise is settled. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

export interface ArrowTraceOptions {
  /** 64 hexadecimal digits of the bytes; without it the column is what rows say. */
  readonly sha256?: (bytes: Uint8Array) => string | Promise<string>;
}

/** A list's offsets are int32, and apache-arrow counts a buffer's bytes in int32. */
const MAX_VALUES = 2 ** 29 - 2;
/** Writes below this are put together: a batch has about sixty pieces, most of them 8 bytes. */
const SMALL_WRITE = 1 << 16;

export class ArrowTraceWriter {
  readonly #sink: ByteSink;
  readonly #options: ArrowTraceOptions;
  readonly #schema: Schema;
  readonly #file: FileBytes;
  readonly #rows: (Cell | boolean)[][] = [];
  /** The write under way: batches must not mingle. */
  #last: Promise<void> = Promise.resolve();
  #ended = false;

  constructor(sink: ByteSink, manifest: Manifest, options: ArrowTraceOptions = {}) {
    this.#sink = sink;
    this.#options = options;
    this.#schema = traceSchema(manifest);
    this.#file = new FileBytes(this.#schema);
  }

  /** Adds one tensor; `values` only where they are to be kept. They are not copied: leave them alone until it is done. */
  append(row: TraceRow, values: Float32Array | null = null): Promise<void> {
    const size = row.shape.reduce((a, b) => a * b, 1);
    if (values && (values.length !== size || size > MAX_VALUES)) {
      const wanted = size > MAX_VALUES ? `at most ${MAX_VALUES}` : `${size} for shape [${row.shape}]`;
      throw new TraceError(`Cannot write ${row.name}: it has ${values.length} values; wanted ${wanted}`, {
        tensor: row.name,
      });
    }
    return this.#inOrder(async () => {
      if (this.#ended) throw new TraceError(`Cannot write ${row.name}: the trace has its end record already`);
      const bytes = values && new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const sha256 = bytes && this.#options.sha256 ? await this.#options.sha256(bytes) : row.sha256;
      const whole = { ...row, sha256, hasValues: values !== null };
      this.#rows.push([...COLUMNS.map((column) => column.of(whole)), whole.hasValues]);
      await this.#write(whole, values);
    });
  }

  /** Adds the last row and the footer; nothing can be appended after it. The sink stays open. */
  end(record: EndRecord = {}): Promise<void> {
    return this.#inOrder(async () => {
      this.#ended = true;
      const step = JSON.stringify({ end: record, rows: this.#rows });
      await this.#write({ ...END_ROW, seq: this.#rows.length, step }, null);
      this.#file.close();
      await this.#flush();
    });
  }

  #inOrder(act: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(act);
    return this.#last;
  }

  #write(row: TraceRow, values: Float32Array | null): Promise<void> {
    const cells = COLUMNS.map((column) => dataOf(column.type, column.of(row)));
    const children = [...cells, dataOf(VALUES_TYPE, values)];
    const type = new Struct(this.#schema.fields);
    this.#file.write(new RecordBatch(this.#schema, makeData({ type, length: 1, nullCount: 0, children })));
    return this.#flush();
  }

  async #flush(): Promise<void> {
    for (const bytes of joined(this.#file.take())) await this.#sink.write(bytes);
  }
}

/** A batch's message and cells, its block in the footer and its line in the last row: measured 2,310. */
const ROW_BYTES = 2310;

/** About how many bytes a trace of `rows` tensors takes of which `values` numbers are kept. */
export function arrowBytes(rows: number, values: number): number {
  return 4 * values + ROW_BYTES * rows;
}

/**
 * apache-arrow's file writer, with two differences: it hands its bytes over instead of queueing them, and it writes the
 * schema at the start as well as in the footer. The format asks for that, and readers that stream (DuckDB) need it.
 */
class FileBytes extends RecordBatchFileWriter {
  #pieces: Uint8Array[] = [];

  constructor(schema: Schema) {
    super();
    this.reset(undefined, schema);
  }

  /** What was written since the last call. */
  take(): Uint8Array[] {
    return this.#pieces.splice(0);
  }

  protected override _write(chunk: ArrayBufferView): this {
    if (chunk.byteLength === 0) return this;
    this.#pieces.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this._position += chunk.byteLength;
    return this;
  }

  protected override _writeSchema(schema: Schema): this {
    return super._writeSchema(schema)._writeMessage(Message.from(schema));
  }
}

const END_ROW: TraceRow = {
  run: '',
  seq: 0,
  pass: 0,
  step: '',
  name: END_NAME,
  hook: null,
  hf: null,
  layer: null,
  op: 'end',
  pos0: 0,
  srcDtype: 'json',
  shape: [],
  dims: [],
  statistics: statisticsOf(new Float32Array(0)),
  sha256: null,
  hasValues: false,
};

/** A column of one cell. */
function dataOf(type: DataType, cell: Cell | Float32Array): Data {
  const one = cell === null ? { length: 1, nullCount: 1, nullBitmap: Uint8Array.of(0) } : { length: 1, nullCount: 0 };
  if (DataType.isUtf8(type)) return makeData({ ...one, type, ...textBuffers([String(cell ?? '')]) });
  if (DataType.isList(type)) {
    const items = (cell ?? []) as readonly string[] | ArrayLike<number>;
    const child = itemsOf(type.valueType, items);
    return makeData({ ...one, type, valueOffsets: Int32Array.of(0, items.length), child });
  }
  return numberData(type, one, Float64Array.of(Number(cell ?? 0)));
}

function itemsOf(type: DataType, items: readonly string[] | ArrayLike<number>): Data {
  const all = { length: items.length, nullCount: 0 };
  if (DataType.isUtf8(type)) return makeData({ ...all, type, ...textBuffers(items as readonly string[]) });
  return numberData(type, all, items as ArrayLike<number>);
}

/** Float32 data that is a Float32Array already is not copied. */
function numberData(type: DataType, base: { length: number }, numbers: ArrayLike<number>): Data {
  if (DataType.isFloat(type) && type.precision === Precision.SINGLE) {
    const data = numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
    return makeData({ ...base, type: type as Float32, data });
  }
  if (DataType.isFloat(type)) return makeData({ ...base, type: type as Float64, data: Float64Array.from(numbers) });
  if (DataType.isInt(type) && type.bitWidth === 64) {
    return makeData({ ...base, type: type as Int64, data: BigInt64Array.from(Array.from(numbers, BigInt)) });
  }
  return makeData({ ...base, type: type as Int32, data: Int32Array.from(numbers) });
}

function textBuffers(texts: readonly string[]): { valueOffsets: Int32Array; data: Uint8Array } {
  const encoded = texts.map((text) => new TextEncoder().encode(text));
  const valueOffsets = new Int32Array(texts.length + 1);
  for (const [i, { length }] of encoded.entries()) valueOffsets[i + 1] = (valueOffsets[i] as number) + length;
  const data = new Uint8Array(valueOffsets.at(-1) as number);
  for (const [i, bytes] of encoded.entries()) data.set(bytes, valueOffsets[i]);
  return { valueOffsets, data };
}

/** The same bytes in fewer pieces: neighbours below SMALL_WRITE are copied together, larger ones stay views. */
function* joined(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.byteLength < SMALL_WRITE) {
      small.push(piece);
      continue;
    }
    if (small.length > 0) yield concatenated(small);
    small = [];
    yield piece;
  }
  if (small.length > 0) yield concatenated(small);
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((total, { byteLength }) => total + byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
