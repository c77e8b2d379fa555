/**
 * Which tensor of one trace lies beside which of the other, and their numbers in one shape. Traces may have run the same
 * tokens in other passes, may have kept fewer rows, or may know a tensor only in part: what both have is paired, what
 * one lacks is named.
 */
import { sizeOf } from '../ops/shape.ts';
import { joinedAlong } from '../trace/joined_along.ts';
import { passesOf } from '../trace/passes.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import type { NotCompared } from './comparison.ts';
import type { Pair } from './measure.ts';

/** Rows of both sides that hold one tensor: of one pass each, or of all passes where the two were cut into other passes. */
export interface PairedRows {
  readonly name: string;
  readonly ours: readonly TraceRow[];
  readonly reference: readonly TraceRow[];
}

export interface Pairing {
  /** In the order of execution of ours. */
  readonly paired: readonly PairedRows[];
  /** What only one side has. */
  readonly unpaired: readonly NotCompared[];
}

/** Pairs rows by name and pass. */
export function pairRows(ours: readonly TraceRow[], reference: readonly TraceRow[]): Pairing {
  const theirs = byName(reference);
  const mine = byName(ours);
  const paired: (PairedRows & { readonly order: number })[] = [];
  const unpaired: NotCompared[] = [];
  for (const [name, rows] of mine) {
    const others = theirs.get(name);
    if (!others) {
      unpaired.push(...rows.map(({ pass }) => ({ name, pass, why: 'only ours has it' })));
    } else if (isCutAlike(rows, others)) {
      rows.forEach((row, i) => {
        paired.push({ name, order: row.seq, ours: [row], reference: [others[i] as TraceRow] });
      });
    } else paired.push({ name, order: (rows[0] as TraceRow).seq, ours: rows, reference: others });
  }
  for (const [name, rows] of theirs) {
    if (!mine.has(name)) unpaired.push(...rows.map(({ pass }) => ({ name, pass, why: 'only the reference has it' })));
  }
  paired.sort((a, b) => a.order - b.order);
  return { paired, unpaired };
}

function byName(rows: readonly TraceRow[]): Map<string, TraceRow[]> {
  const names = new Map<string, TraceRow[]>();
  for (const row of rows) {
    const same = names.get(row.name);
    if (same) same.push(row);
    else names.set(row.name, [row]);
  }
  return names;
}

function isCutAlike(ours: readonly TraceRow[], reference: readonly TraceRow[]): boolean {
  return ours.length === reference.length && ours.every((row, i) => row.pos0 === reference[i]?.pos0);
}

/** Two tensors in one shape, or why there is no such thing. */
export type Loaded =
  | {
      readonly pair: Pair;
      /** Share of the elements of the tensor that are in the pair. */
      readonly coverage: number;
      /** Half a unit of the last digit that either side was printed with; 0 where both are exact. */
      readonly resolution: number;
    }
  | { readonly pair: null; readonly why: string; readonly shapesDiffer: boolean };

/** The numbers of both sides; those of ours in the shape of the reference. */
export async function loadPair(ours: Trace, reference: Trace, rows: PairedRows): Promise<Loaded> {
  const sides = [
    { trace: ours, rows: rows.ours, label: 'ours' },
    { trace: reference, rows: rows.reference, label: 'the reference' },
  ] as const;
  const partly = sides.some((side) => side.rows.some((row) => row.partly));
  if (partly) return loadSamples(ours, reference, rows);
  const without = sides.find((side) => side.rows.some((row) => !row.hasValues));
  if (without) return none(`${without.label} keeps only statistics of it`);
  const [mine, theirs] = [await spanOf(sides[0].trace, rows.ours), await spanOf(sides[1].trace, rows.reference)];
  const [a, b] = common(mine, theirs);
  if (!sameShape(a.tensor, b.tensor)) return otherShapes(a.tensor.shape, b.tensor.shape);
  const { shape, dims } = a.tensor;
  const pair = { ours: a.tensor.data, reference: b.tensor.data, shape, dims, pos0: a.pos0, offsets: null };
  const most = Math.max(mine.tensor.size, theirs.tensor.size);
  return { pair, coverage: most === 0 ? 1 : Math.min(1, a.tensor.size / most), resolution: 0 };
}

function none(why: string): Loaded {
  return { pair: null, why, shapesDiffer: false };
}

function otherShapes(ours: readonly number[], reference: readonly number[]): Loaded {
  const why = `its shape is [${ours.join(', ')}] in ours and [${reference.join(', ')}] in the reference`;
  return { pair: null, why, shapesDiffer: true };
}

function sameShape(a: Tensor, b: Tensor): boolean {
  return a.shape.join() === b.shape.join();
}

/** A tensor over the tokens from position `pos0` on. */
interface Span {
  readonly tensor: Tensor;
  readonly pos0: number;
}

/** All passes of a tensor as one. */
async function spanOf(trace: Trace, rows: readonly TraceRow[]): Promise<Span> {
  const parts: Span[] = [];
  const passes = new Map(passesOf(trace).map((pass) => [pass.index, pass]));
  for (const row of rows) {
    const tensor = await trace.tensor(row.name, { pass: row.pass });
    const tokens = row.shape[row.dims.indexOf('token')];
    const pass = passes.get(row.pass);
    // An engine that keeps fewer rows than the pass has tokens keeps the last ones, unless the row says where it begins.
    const left = pass && tokens !== undefined && row.pos0 === pass.pos0 ? pass.nTokens - tokens : 0;
    parts.push({ tensor, pos0: row.pos0 + left });
  }
  const [first] = parts as [Span, ...Span[]];
  if (parts.length === 1) return first;
  return {
    tensor: joinedAlong(
      parts.map((part) => part.tensor),
      first.tensor.dims.indexOf('token'),
    ),
    pos0: first.pos0,
  };
}

/** The part of both that is over the same positions. */
function common(ours: Span, reference: Span): [Span, Span] {
  const axis = ours.tensor.dims.indexOf('token');
  if (axis < 0 || reference.tensor.dims.indexOf('token') !== axis) return [ours, reference];
  const end = (span: Span) => span.pos0 + (span.tensor.shape[axis] as number);
  const from = Math.max(ours.pos0, reference.pos0);
  const to = Math.min(end(ours), end(reference));
  const cut = (span: Span): Span => {
    if (from >= to || (span.pos0 === from && end(span) === to)) return span;
    const ranges = span.tensor.shape.map((_, i) => (i === axis ? ([from - span.pos0, to - span.pos0] as const) : null));
    return { tensor: span.tensor.slice(...ranges), pos0: from };
  };
  const [a, b] = [cut(ours), cut(reference)];
  const keys = a.tensor.dims.indexOf('key');
  if (keys < 0) return [a, b];
  const most = Math.min(a.tensor.shape[keys] as number, b.tensor.shape[keys] as number);
  const narrow = ({ tensor, pos0 }: Span): Span => {
    if (tensor.shape[keys] === most) return { tensor, pos0 };
    const ranges = tensor.shape.map((_, i) => (i === keys ? ([0, most] as const) : null));
    return { tensor: tensor.slice(...ranges), pos0 };
  };
  return [narrow(a), narrow(b)];
}

/** What a log printed of one pass, against the same elements of the other side. */
async function loadSamples(ours: Trace, reference: Trace, rows: PairedRows): Promise<Loaded> {
  const [mine, theirs] = [rows.ours[0], rows.reference[0]] as [TraceRow, TraceRow];
  if (rows.ours.length > 1 || rows.reference.length > 1) {
    return none('the passes differ, and only parts of it are known');
  }
  if (mine.shape.join() !== theirs.shape.join()) return otherShapes(mine.shape, theirs.shape);
  const [a, b] = [await elementsOf(ours, mine), await elementsOf(reference, theirs)];
  if (!a || !b) return none(`${a ? 'the reference' : 'ours'} knows only statistics of it`);
  const offsets = a.offsets && b.offsets ? shared(a.offsets, b.offsets) : (a.offsets ?? (b.offsets as Uint32Array));
  const pair: Pair = {
    ours: a.at(offsets),
    reference: b.at(offsets),
    shape: mine.shape,
    dims: mine.dims,
    pos0: mine.pos0,
    offsets,
  };
  return { pair, coverage: offsets.length / Math.max(1, sizeOf(mine.shape)), resolution: a.resolution + b.resolution };
}

interface Elements {
  /** Null: all of them. */
  readonly offsets: Uint32Array | null;
  readonly resolution: number;
  at(offsets: Uint32Array): Float32Array;
}

async function elementsOf(trace: Trace, row: TraceRow): Promise<Elements | null> {
  if (row.hasValues) {
    const { data } = await trace.tensor(row.name, { pass: row.pass });
    return { offsets: null, resolution: 0, at: (offsets) => Float32Array.from(offsets, (i) => data[i] as number) };
  }
  const sample = row.partly?.sample;
  if (!sample) return null;
  const places = new Map(Array.from(sample.offsets, (offset, i) => [offset, i]));
  return {
    offsets: sample.offsets,
    resolution: sample.resolution,
    at: (offsets) => Float32Array.from(offsets, (i) => sample.values[places.get(i) as number] as number),
  };
}

function shared(a: Uint32Array, b: Uint32Array): Uint32Array {
  const others = new Set(b);
  return a.filter((offset) => others.has(offset));
}
