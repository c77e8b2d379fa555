/**
 * Arrow from another program, such as pyarrow: an IPC file or stream with a tensor in each row. It needs the columns `name`
 * and `values`, a list of numbers of any width; `shape`, `pass` and `op` are used where they are there. What has all of our
 * columns is a trace already, see arrow_reader.ts.
 */
import { DataType, Precision, type RecordBatch } from 'apache-arrow';
import { TraceError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import { BatchFile, cellOf, decoded } from '../arrow_batches.ts';
import { COLUMNS, END_NAME, MANIFEST_KEY } from '../arrow_schema.ts';
import type { Manifest } from '../trace.ts';
import type { Dump, ForeignTensor, NotRead } from './dump.ts';
import { product } from './view.ts';

/** Of an IPC file, and of a stream's first message. */
export function isArrowFile(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(0, 6)) === 'ARROW1';
}

export function isArrowStream(head: Uint8Array): boolean {
  return head.length >= 8 && head.subarray(0, 4).every((byte) => byte === 0xff);
}

/** Whether a file has every column of a trace, and its values as we write them, so that `openArrowTrace` reads it. */
export async function isArrowTrace(source: ByteSource): Promise<boolean> {
  const file = await BatchFile.open(source);
  const values = file.schema.fields.find(({ name }) => name === 'values')?.type;
  const isOurs =
    DataType.isList(values) && DataType.isFloat(values.valueType) && values.valueType.precision === Precision.SINGLE;
  return isOurs && COLUMNS.every(({ name }) => file.has(name));
}

/** Throws TraceError where the file is broken or has no columns `name` and `values`. */
export async function openForeignArrow(source: ByteSource): Promise<Dump> {
  const isFile = isArrowFile(await source.read(0, Math.min(8, source.size)));
  const file = isFile ? await BatchFile.open(source) : await BatchFile.openStream(source);
  const missing = ['name', 'values'].filter((column) => !file.has(column));
  if (missing.length > 0) {
    const found = file.schema.fields.map(({ name }) => name).join(', ') || 'none';
    throw new TraceError(
      `Cannot read ${source.name}: it has no column ${missing.join(' and ')}; its columns are ${found}. ` +
        'Write one tensor in each row, with the columns name (text), shape (list of integers) and values (list of floats)',
      { file: source.name },
    );
  }
  const tensors: ForeignTensor[] = [];
  const notRead: NotRead[] = [];
  const batchAt = lastBatchKept(file);
  for (let at = 0; at < file.count; at++) {
    const batch = await batchAt(at);
    for (let row = 0; row < batch.numRows; row++) {
      const cells = decoded(source.name, `row ${row} of batch ${at}`, () => cellsOf(batch, row));
      if (cells.name === END_NAME) continue;
      const wrong = problemOf(cells);
      if (wrong) notRead.push({ name: cells.name ?? `row ${row} of batch ${at}`, why: wrong });
      else tensors.push(tensorOf(file, () => batchAt(at), row, cells as Cells & { readonly name: string }));
    }
  }
  const manifest = manifestOf(source, file.schema.metadata.get(MANIFEST_KEY));
  return { source: source.name, manifest, tensors, notRead, close: () => source.close() };
}

interface Cells {
  readonly name: string | null;
  readonly shape: readonly number[] | null;
  readonly pass: number;
  readonly op: string | null;
  /** How many; null where the cell is empty. */
  readonly values: number | null;
}

function cellsOf(batch: RecordBatch, row: number): Cells {
  const shape = cellOf(batch, row, 'shape') as Iterable<unknown> | null;
  const values = cellOf(batch, row, 'values') as { readonly length: number } | null;
  const name = cellOf(batch, row, 'name');
  const op = cellOf(batch, row, 'op');
  return {
    name: name === null ? null : String(name),
    shape: shape === null ? null : [...shape].map(Number),
    pass: Number(cellOf(batch, row, 'pass') ?? 0),
    op: op === null ? null : String(op),
    values: values === null ? null : values.length,
  };
}

function problemOf({ name, shape, pass, values }: Cells): string | null {
  if (name === null) return 'it has no name';
  if (values === null) return 'it has no values';
  if (!Number.isInteger(pass) || pass < 0) return `its pass is ${pass}; wanted 0, 1, 2, …`;
  if (!shape) return null;
  const isShape = shape.every((size) => Number.isInteger(size) && size >= 0);
  if (isShape && product(shape) === values) return null;
  return `its shape [${shape}] and its ${values} values disagree`;
}

/** Other programs put many rows into one batch: the last one read is kept. */
function lastBatchKept(file: BatchFile): (at: number) => Promise<RecordBatch> {
  let last: { readonly at: number; readonly batch: Promise<RecordBatch> } | undefined;
  return (at) => {
    if (last?.at !== at) last = { at, batch: file.batch(at) };
    return last.batch;
  };
}

function tensorOf(
  file: BatchFile,
  batchOf: () => Promise<RecordBatch>,
  row: number,
  cells: Cells & { readonly name: string },
): ForeignTensor {
  const { name, shape, pass, op, values } = cells;
  const load = async () => {
    const batch = await batchOf();
    return decoded(file.source.name, `the values of ${name}`, () => floats(cellOf(batch, row, 'values')));
  };
  const field = file.schema.fields.find((each) => each.name === 'values');
  const dtype = String(field?.type.children[0]?.type ?? 'f32').replace(/^(Uint|Int|Float)(?=\d)/, ([first]) =>
    (first as string).toLowerCase(),
  );
  return { name, dtype, shape, size: values, pass, ...(op === null ? {} : { op }), load };
}

/** Throws RangeError where a value is beyond f32, TypeError where it is no number. */
function floats(list: unknown): Float32Array {
  const values = list as Iterable<unknown> & { readonly length: number };
  const out = new Float32Array(values.length);
  let i = 0;
  for (const value of values) {
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number') throw new TypeError(`value ${i} is ${value === null ? 'null' : typeof value}`);
    out[i] = number;
    if (Number.isFinite(number) && !Number.isFinite(out[i]))
      throw new RangeError(`it holds ${number}, which f32 cannot`);
    i++;
  }
  return out;
}

function manifestOf({ name }: ByteSource, json: string | undefined): Manifest {
  return json === undefined ? {} : decoded(name, `its metadata ${MANIFEST_KEY}`, () => JSON.parse(json) as Manifest);
}
