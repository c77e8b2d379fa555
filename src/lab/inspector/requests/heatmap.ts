/**
 * A pair of tensors of a comparison as a picture: rows are tokens, columns what is along the last axis. A large one comes in
 * blocks, each shown by its element that differs most, so that no difference is lost between pixels.
 */
import type { Pair } from '../../../compare/measure.ts';
import { TraceError } from '../../../errors.ts';
import { sizeOf } from '../../../ops/shape.ts';
import type { Request } from '../request.ts';
import { type PairParams, pairOf } from './pair.ts';

export interface HeatmapParams extends PairParams {
  /** Of a tensor with heads: the one to draw. Default: all side by side; of attention the first. */
  readonly head?: number;
}

export interface Heatmap {
  /** What a row and a column are, and how many there are in all. */
  readonly rows: { readonly what: string; readonly count: number; readonly first: number };
  readonly columns: { readonly what: string; readonly count: number };
  /** The head that is drawn; null where it is all of them, or there are none. */
  readonly head: number | null;
  /** How many rows and columns a block has; 1 and 1 where every element is its own. */
  readonly block: { readonly rows: number; readonly columns: number };
  /** Blocks down and across. */
  readonly height: number;
  readonly width: number;
  /** By block, row by row: the element that differs most. */
  readonly ours: Float32Array;
  readonly reference: Float32Array;
  /** Where in the tensor that element is: its row, or NOTHING, and its column. */
  readonly atRow: Uint32Array;
  readonly atColumn: Uint32Array;
}

/** In place of a row: the block has no element, for all are masked, or none is known. */
export const NOTHING = 2 ** 32 - 1;

/** Blocks that a picture has at most, down and across. */
const [MOST_ROWS, MOST_COLUMNS] = [64, 192];

export const heatmap: Request<HeatmapParams, Heatmap> = async (session, { sides, name, pass, head }, watch) => {
  return heatmapOf(await pairOf(session, { sides, name, pass }, watch), head);
};

/** The picture of a pair. Throws TraceError where it has no such head. */
export function heatmapOf(pair: Pair, wanted?: number): Heatmap {
  const plane = planeOf(pair, wanted);
  const { rows, columns } = plane;
  const block = { rows: Math.ceil(rows / MOST_ROWS) || 1, columns: Math.ceil(columns / MOST_COLUMNS) || 1 };
  const [height, width] = [Math.ceil(rows / block.rows), Math.ceil(columns / block.columns)];
  const known = pair.offsets && new Map(Array.from(pair.offsets, (offset, i) => [offset, i]));
  const ours = new Float32Array(height * width).fill(Number.NaN);
  const reference = ours.slice();
  const [atRow, atColumn] = [new Uint32Array(height * width).fill(NOTHING), new Uint32Array(height * width)];
  const most = new Float64Array(height * width).fill(-1);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (plane.isMasked(row, column)) continue;
      const offset = plane.offset(row, column);
      const i = known ? known.get(offset) : offset;
      if (i === undefined) continue;
      const [x, y] = [pair.ours[i] as number, pair.reference[i] as number];
      const apart = Number.isFinite(x - y) ? Math.abs(x - y) : Object.is(x, y) ? 0 : Number.POSITIVE_INFINITY;
      const at = Math.floor(row / block.rows) * width + Math.floor(column / block.columns);
      if (apart <= (most[at] as number)) continue;
      most[at] = apart;
      ours[at] = x;
      reference[at] = y;
      atRow[at] = row;
      atColumn[at] = column;
    }
  }
  return {
    rows: { what: plane.rowsAre, count: rows, first: plane.rowsAre === 'token' ? pair.pos0 : 0 },
    columns: { what: plane.columnsAre, count: columns },
    ...{ head: plane.head, block, height, width, ours, reference, atRow, atColumn },
  };
}

/** A tensor laid flat. */
interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly rowsAre: string;
  readonly columnsAre: string;
  readonly head: number | null;
  offset(row: number, column: number): number;
  isMasked(row: number, column: number): boolean;
}

function planeOf({ shape, dims, pos0 }: Pair, wanted: number | undefined): Plane {
  const nHead = shape[dims.indexOf('head')] ?? 0;
  if (wanted !== undefined && wanted >= nHead) {
    throw new TraceError(`Cannot draw head ${wanted}: the tensor has ${nHead} heads`);
  }
  const never = () => false;
  const last = shape.at(-1) ?? 1;
  if (dims.join() === 'head,token,key') {
    const [head, rows] = [wanted ?? 0, shape[1] as number];
    return {
      ...{ rows, columns: last, rowsAre: 'token', columnsAre: 'key', head },
      offset: (row, column) => (head * rows + row) * last + column,
      isMasked: (row, column) => column > pos0 + row,
    };
  }
  const [rowsAre = 'row', ...others] = dims.length > 1 ? dims : ['row', ...dims];
  const [rows = 1] = shape.length > 1 ? shape : [1];
  const width = shape.length > 1 ? sizeOf(shape.slice(1)) : last;
  if (wanted !== undefined && others.join() === 'head,dim') {
    return {
      ...{ rows, columns: last, rowsAre, columnsAre: 'dim', head: wanted, isMasked: never },
      offset: (row, column) => row * width + wanted * last + column,
    };
  }
  return {
    ...{ rows, columns: width, rowsAre, columnsAre: others.join(' × '), head: null, isMasked: never },
    offset: (row, column) => row * width + column,
  };
}
