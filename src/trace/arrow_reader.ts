/**
 * Opens a trace in an Arrow IPC file without reading it whole: the footer, the `__end__` batch, and then one batch for
 * each tensor that is asked for. apache-arrow decodes footer, schema and batches. Reading by range is ours: its own file
 * reader takes only Node's file handles, fetches lengths four bytes at a time, and trusts what they say.
 *
 * Files of other programs with the same columns are read too (any batches, no `__end__` row); then all rows are read once.
 */
import { Message, type RecordBatch, RecordBatchReader, Schema } from 'apache-arrow';
import { type FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import { TraceError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';
import { checkBatch, checkFooter } from './arrow_claims.ts';
import { COLUMNS, END_NAME, MANIFEST_KEY, rowOf } from './arrow_schema.ts';
import { type EndRecord, type Manifest, RowTrace, type TraceParts, type TraceRow } from './trace.ts';

const MAGIC = 'ARROW1';
/** Footer length and magic. */
const TAIL_BYTES = 10;
/** Magic, padding, footer length, magic. */
const LEAST_BYTES = 8 + TAIL_BYTES;

/** A trace in a file. Close it when done; what was read stays valid. */
export class ArrowTrace extends RowTrace {
  readonly #source: ByteSource;

  constructor(source: ByteSource, parts: TraceParts) {
    super(parts);
    this.#source = source;
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

/** Where a row's values are. */
interface Place {
  readonly batch: number;
  readonly row: number;
}

/** Throws TraceError where the file is broken, cut short, or holds no trace. */
export async function openArrowTrace(source: ByteSource): Promise<ArrowTrace> {
  const file = await BatchFile.open(source);
  const manifest = manifestOf(file.schema, source.name);
  const { rows, places, end } = (await indexedRows(file)) ?? (await scannedRows(file));
  return new ArrowTrace(source, {
    manifest,
    end,
    entries: rows,
    source: source.name,
    values: async (row) => {
      const place = places.get(row);
      if (!place) throw broken(source.name, `${row.name} is not one of its rows`);
      return valuesOf(await file.batch(place.batch), place.row, row, source.name);
    },
  });
}

interface Rows {
  readonly rows: readonly TraceRow[];
  readonly places: ReadonlyMap<TraceRow, Place>;
  readonly end: EndRecord | null;
}

/** From the `__end__` row of a file as we wrote it; null where there is none, or batches were put together since. */
async function indexedRows(file: BatchFile): Promise<Rows | null> {
  if (file.count === 0) return null;
  const last = await file.batch(file.count - 1);
  if (last.numRows !== 1 || cellOf(last, 0, 'name') !== END_NAME) return null;
  const index = endOf(String(cellOf(last, 0, 'step')), file.source.name);
  if (index.rows.length !== file.count - 1) return null;
  const rows = index.rows.map((cells, batch) => {
    const byName = new Map(COLUMNS.map(({ name }, i) => [name, cells[i] ?? null]));
    const hasValues = cells[COLUMNS.length] === true;
    return decoded(file.source.name, `row ${batch}`, () => rowOf((column) => byName.get(column) ?? null, hasValues));
  });
  return { rows, places: new Map(rows.map((row, batch) => [row, { batch, row: 0 }])), end: index.end };
}

/** From every batch, one after the other; values are not kept. */
async function scannedRows(file: BatchFile): Promise<Rows> {
  const places = new Map<TraceRow, Place>();
  let end: EndRecord | null = null;
  for (let at = 0; at < file.count; at++) {
    const batch = await file.batch(at);
    for (let row = 0; row < batch.numRows; row++) {
      if (cellOf(batch, row, 'name') === END_NAME) {
        end = endOf(String(cellOf(batch, row, 'step')), file.source.name).end;
        continue;
      }
      const hasValues = cellOf(batch, row, 'values') !== null;
      const cells = (column: string) => cellOf(batch, row, column);
      places.set(
        decoded(file.source.name, `row ${row} of batch ${at}`, () => rowOf(cells, hasValues)),
        { batch: at, row },
      );
    }
  }
  return { rows: [...places.keys()], places, end };
}

/** An Arrow file's footer, and its batches by range. */
class BatchFile {
  readonly source: ByteSource;
  readonly schema: Schema;
  readonly #blocks: readonly FileBlock[];
  /** Decoded before every batch: the schema, and dictionaries where another program wrote some. */
  readonly #preamble: readonly Uint8Array[];

  private constructor(source: ByteSource, schema: Schema, blocks: readonly FileBlock[], preamble: Uint8Array[]) {
    this.source = source;
    this.schema = schema;
    this.#blocks = blocks;
    this.#preamble = preamble;
  }

  static async open(source: ByteSource): Promise<BatchFile> {
    const footer = await readFooter(source);
    const { schema } = footer;
    const missing = [...COLUMNS.map(({ name }) => name), 'values'].filter(
      (name) => !schema.fields.some((field) => field.name === name),
    );
    if (missing.length > 0) {
      throw broken(source.name, `it is an Arrow file but no trace: it has no column ${missing.join(', ')}`);
    }
    const { blocks, dictionaries } = decoded(source.name, 'its footer', () => ({
      blocks: [...footer.recordBatches()],
      dictionaries: [...footer.dictionaryBatches()],
    }));
    for (const block of [...blocks, ...dictionaries]) mustBeInside(block, source);
    const preamble = [schemaMessage(schema)];
    for (const block of dictionaries) preamble.push(await readBlock(source, block));
    return new BatchFile(source, schema, blocks, preamble);
  }

  get count(): number {
    return this.#blocks.length;
  }

  async batch(index: number): Promise<RecordBatch> {
    const block = this.#blocks[index] as FileBlock;
    const bytes = await readBlock(this.source, block);
    return decoded(this.source.name, `batch ${index}`, () => {
      checkBatch(bytes.subarray(0, block.metaDataLength), block.bodyLength);
      const reader = RecordBatchReader.from([...this.#preamble, bytes]);
      const { value } = reader.next();
      if (!value || value.numCols !== this.schema.fields.length) throw new Error('it holds no record batch');
      return value;
    });
  }
}

async function readFooter(source: ByteSource): Promise<Footer> {
  const { name, size } = source;
  if (size < LEAST_BYTES) throw broken(name, `it has ${size} bytes, less than the shortest Arrow file`);
  const head = await source.read(0, MAGIC.length);
  if (textOf(head) !== MAGIC) throw broken(name, 'it is no Arrow IPC file: it does not begin with ARROW1');
  const tail = await source.read(size - TAIL_BYTES, TAIL_BYTES);
  if (textOf(tail.subarray(4)) !== MAGIC) {
    throw broken(name, 'it is cut short or still being written: it does not end with ARROW1');
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getInt32(0, true);
  if (length <= 0 || length > size - LEAST_BYTES) {
    throw broken(name, `its footer claims ${length} bytes of the file's ${size}`);
  }
  const bytes = await source.read(size - TAIL_BYTES - length, length);
  return decoded(name, 'its footer', () => {
    checkFooter(bytes);
    return Footer.decode(bytes);
  });
}

function mustBeInside({ offset, metaDataLength, bodyLength }: FileBlock, { name, size }: ByteSource): void {
  const isInside = offset >= 8 && metaDataLength > 0 && bodyLength >= 0 && offset + metaDataLength + bodyLength <= size;
  if (isInside) return;
  throw broken(name, `a batch claims bytes ${offset} to ${offset + metaDataLength + bodyLength} of the file's ${size}`);
}

function readBlock(source: ByteSource, { offset, metaDataLength, bodyLength }: FileBlock): Promise<Uint8Array> {
  return source.read(offset, metaDataLength + bodyLength);
}

/** The schema as the message with which a stream begins; without metadata, which each decoding would parse again. */
function schemaMessage({ fields }: Schema): Uint8Array {
  const message = Message.encode(Message.from(new Schema(fields)));
  const length = 8 * Math.ceil(message.byteLength / 8);
  const bytes = new Uint8Array(8 + length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, -1, true);
  view.setInt32(4, length, true);
  bytes.set(message, 8);
  return bytes;
}

function cellOf(batch: RecordBatch, row: number, column: string): unknown {
  return batch.getChild(column)?.get(row) ?? null;
}

/** A view of what was read, not a copy, where the file is ours. */
function valuesOf(batch: RecordBatch, at: number, row: TraceRow, file: string): Float32Array {
  const list = decoded(file, `the values of ${row.name}`, () => cellOf(batch, at, 'values') as { toArray(): unknown });
  const values = list?.toArray();
  const size = row.shape.reduce((a, b) => a * b, 1);
  const isRight = values instanceof Float32Array && values.length === size && cellOf(batch, at, 'name') === row.name;
  if (!isRight) throw broken(file, `its index and its batch of ${row.name} disagree`);
  return values;
}

function manifestOf(schema: Schema, file: string): Manifest {
  const json = schema.metadata.get(MANIFEST_KEY);
  if (json === undefined) return {};
  return decoded(file, `its metadata ${MANIFEST_KEY}`, () => JSON.parse(json) as Manifest);
}

function endOf(json: string, file: string): { end: EndRecord; rows: unknown[][] } {
  return decoded(file, `its row ${END_NAME}`, () => {
    const { end, rows } = JSON.parse(json) as { end: EndRecord; rows: unknown[][] };
    if (!Array.isArray(rows) || !rows.every(Array.isArray)) throw new Error('it has no list of rows');
    return { end, rows };
  });
}

/** What `decode` gives; whatever it throws, be it of a decoder that met nonsense, becomes a TraceError. */
function decoded<T>(file: string, what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw broken(file, `${what} cannot be decoded (${cause instanceof Error ? cause.message : cause})`, cause);
  }
}

function broken(file: string, found: string, cause?: unknown): TraceError {
  return new TraceError(`Cannot read the trace ${file}: ${found}; write or copy it again`, { file, cause });
}

function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
