/**
 * Opens a trace in an Arrow IPC file without reading it whole: the footer, the `__end__` batch, and then one batch for
 * each tensor that is asked for.
 *
 * Files of other programs with the same columns are read too (any batches, no `__end__` row); then all rows are read once.
 */
import type { RecordBatch, Schema } from 'apache-arrow';
import type { ByteSource } from '../platform.ts';
import { BatchFile, broken, cellOf, decoded } from './arrow_batches.ts';
import { COLUMNS, END_NAME, MANIFEST_KEY, rowOf } from './arrow_schema.ts';
import { type EndRecord, type Manifest, RowTrace, type TraceParts, type TraceRow } from './trace.ts';

/** A trace in a file. Close it when done; what was read stays valid. */
export class ArrowTrace extends RowTrace {
  readonly #source: ByteSource;

  constructor(source: ByteSource, parts: TraceParts) {
    super(parts);
    this.#source = source;
  }

  /** The file's name. */
  get source(): string {
    return this.#source.name;
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
  const missing = [...COLUMNS.map(({ name }) => name), 'values'].filter((name) => !file.has(name));
  if (missing.length > 0) {
    throw broken(source.name, `it is an Arrow file but no trace: it has no column ${missing.join(', ')}`);
  }
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
