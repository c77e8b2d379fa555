/**
 * The columns of a trace in Arrow, and how a row goes into them and comes back. Other programs read these files, so no
 * dictionaries, no float16 and no views: not every reader takes them.
 */
import { type DataType, Field, Float32, Float64, Int32, Int64, List, Schema, Utf8 } from 'apache-arrow';
import type { Manifest, TraceRow } from './trace.ts';

/** Where the schema's metadata holds the manifest, as JSON. */
export const MANIFEST_KEY = 'layerscope.manifest';

/**
 * Name of the last row. Its `step` holds JSON: `end`, the end record, and `rows`, the cells of every row before it in
 * the order of `COLUMNS` and then whether it has values; row i is in batch i.
 */
export const END_NAME = '__end__';

/** ggml has four axes; no tensor that we know has more than this. */
const MAX_AXES = 16;

export type Cell = string | number | null | readonly string[] | readonly number[];

export interface Column {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  of(row: TraceRow): Cell;
}

const utf8 = new Utf8();
const int32 = new Int32();
const float32 = new Float32();
const float64 = new Float64();

function listOf<T extends DataType>(type: T): List<T> {
  return new List(new Field('item', type, false));
}

function required(name: string, type: DataType, of: (row: TraceRow) => Cell): Column {
  return { name, type, nullable: false, of };
}

function optional(name: string, type: DataType, of: (row: TraceRow) => Cell): Column {
  return { name, type, nullable: true, of };
}

/** All but `values`, which is the last column. */
export const COLUMNS: readonly Column[] = [
  required('run', utf8, ({ run }) => run),
  required('seq', int32, ({ seq }) => seq),
  required('pass', int32, ({ pass }) => pass),
  required('step', utf8, ({ step }) => step),
  required('name', utf8, ({ name }) => name),
  optional('hook', utf8, ({ hook }) => hook),
  optional('hf', utf8, ({ hf }) => hf),
  optional('layer', int32, ({ layer }) => layer),
  required('op', utf8, ({ op }) => op),
  required('pos0', int32, ({ pos0 }) => pos0),
  required('src_dtype', utf8, ({ srcDtype }) => srcDtype),
  required('shape', listOf(int32), ({ shape }) => shape),
  required('dims', listOf(utf8), ({ dims }) => dims),
  required('n', new Int64(), ({ statistics }) => statistics.n),
  required('sum', float64, ({ statistics }) => statistics.sum),
  required('mean', float64, ({ statistics }) => statistics.mean),
  required('rms', float64, ({ statistics }) => statistics.rms),
  optional('min', float32, ({ statistics }) => statistics.min),
  optional('max', float32, ({ statistics }) => statistics.max),
  optional('absmax', float32, ({ statistics }) => statistics.absmax),
  required('nan_count', int32, ({ statistics }) => statistics.nanCount),
  required('inf_count', int32, ({ statistics }) => statistics.infCount),
  required('zero_count', int32, ({ statistics }) => statistics.zeroCount),
  required('hash64', utf8, ({ statistics }) => statistics.hash64),
  optional('sha256', utf8, ({ sha256 }) => sha256),
];

export const VALUES_TYPE = listOf(float32);

export function traceSchema(manifest: Manifest): Schema {
  const fields = COLUMNS.map(({ name, type, nullable }) => new Field(name, type, nullable));
  const metadata = new Map([[MANIFEST_KEY, JSON.stringify(manifest)]]);
  return new Schema([...fields, new Field('values', VALUES_TYPE, true)], metadata);
}

/** The row whose cells `cell` gives by column name. int64 cells may be bigint. */
export function rowOf(cell: (column: string) => unknown, hasValues: boolean): TraceRow {
  const text = (column: string) => String(cell(column));
  const number = (column: string) => Number(cell(column));
  const textOrNull = (column: string) => (cell(column) === null ? null : text(column));
  const numberOrNull = (column: string) => (cell(column) === null ? null : number(column));
  const list = (column: string) => {
    const items = cell(column) as Iterable<unknown> & { readonly length: number };
    if (!(items?.length <= MAX_AXES)) throw new RangeError(`its ${column} is no list of at most ${MAX_AXES}`);
    return [...items];
  };
  return {
    run: text('run'),
    seq: number('seq'),
    pass: number('pass'),
    step: text('step'),
    name: text('name'),
    hook: textOrNull('hook'),
    hf: textOrNull('hf'),
    layer: numberOrNull('layer'),
    op: text('op'),
    pos0: number('pos0'),
    srcDtype: text('src_dtype'),
    shape: list('shape').map(Number),
    dims: list('dims').map(String),
    statistics: {
      n: number('n'),
      sum: number('sum'),
      mean: number('mean'),
      rms: number('rms'),
      min: numberOrNull('min'),
      max: numberOrNull('max'),
      absmax: numberOrNull('absmax'),
      nanCount: number('nan_count'),
      infCount: number('inf_count'),
      zeroCount: number('zero_count'),
      hash64: text('hash64'),
    },
    sha256: textOrNull('sha256'),
    hasValues,
  };
}
