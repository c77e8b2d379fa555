/**
 * A dump: tensors that another program wrote, under its own names and in its own order. Each reader in this folder gives
 * one; `placedTrace` makes a trace of it with a name map, which says of each tensor which of ours it is and how it lies.
 */
import { LayerscopeError, TraceError } from '../../errors.ts';
import { type Statistics, statisticsOf } from '../statistics.ts';
import { type Manifest, type PartlyKnown, RowTrace, type Sample, type TraceParts, type TraceRow } from '../trace.ts';
import { gathered, offsetInOurs, product, type View, wholeView } from './view.ts';

/** Something in a dump that no row was made of. */
export interface NotRead {
  /** A file, a tensor, or `line 12`. */
  readonly name: string;
  /** Why, as the end of a sentence: "its values are cut off". */
  readonly why: string;
}

/** A tensor as its producer has it. */
export interface ForeignTensor {
  readonly name: string;
  /** The producer's word for the numbers' type: `f32`, `bf16`. */
  readonly dtype: string;
  /** Outermost first; null where the format does not tell. */
  readonly shape: readonly number[] | null;
  /** Numbers in all; null where the format does not tell. */
  readonly size: number | null;
  /** 0 is the prefill. */
  readonly pass: number;
  /** The producer's op, and how many of this name and op came before it in its pass; where the format tells. */
  readonly op?: string;
  readonly occurrence?: number;
  /** All numbers, row-major in `shape`. Absent where the format has only a part of them. */
  readonly load?: () => Promise<Float32Array>;
  readonly part?: ForeignPart;
}

/** What is known of a tensor without its numbers. */
export interface ForeignPart {
  /** Those that the format tells. */
  readonly statistics: Partial<Statistics>;
  /** Half a unit of the last digit of `sum`. */
  readonly sumResolution: number;
  /** Offsets are theirs. */
  readonly sample: Sample | null;
}

export interface Dump {
  /** What errors call it: a path. */
  readonly source: string;
  /** What the dump itself says of its run. */
  readonly manifest: Manifest;
  /** In order of computation where the format tells, else as they stand there. */
  readonly tensors: readonly ForeignTensor[];
  readonly notRead: readonly NotRead[];
  /** Tokens of each pass, where the format tells. */
  readonly passes?: readonly number[];
  close?(): Promise<void>;
}

/** Where a foreign tensor belongs in our trace. */
export interface Placed {
  readonly name: string;
  readonly hook: string | null;
  readonly hf: string | null;
  readonly layer: number | null;
  readonly op: string;
  readonly dims: readonly string[];
  /** Position of the first token that the value has. */
  readonly pos0: number;
  /** Null where neither side knows the shape. */
  readonly view: View | null;
  /** Rows are sorted by it within a pass. */
  readonly order: number;
  /** What the name means for an earlier tensor that had it too; null where that one is dropped for this one. */
  readonly earlier: string | null;
  /** Whether numbers that the view leaves out are zeros, so that a sum over all is one over ours. */
  readonly restIsZero: boolean;
}

/** Which of our tensors a foreign one is; a string where it is none, as the end of a sentence. */
export type NameMap = (tensor: ForeignTensor) => Placed | string;

/** Takes every tensor under its own name and in its own shape: for whoever wants to find out what they are. */
export const asTheyAre: NameMap = ({ name, shape, size, op }) => {
  const axes = shape ?? (size === null ? [] : [size]);
  return {
    name,
    hook: null,
    hf: null,
    layer: null,
    op: op ?? '',
    dims: axes.map((_, axis) => `axis${axis}`),
    pos0: 0,
    view: wholeView(axes),
    order: 0,
    earlier: null,
    restIsZero: false,
  };
};

interface Row {
  readonly tensor: ForeignTensor;
  readonly placed: Placed;
  readonly name: string;
}

/**
 * The trace of a dump. Values are read once now, for their statistics, one tensor at a time, and again when they are asked
 * for. `manifest.notRead` lists what is not in it and why, `manifest.overflowedSums` the sums that are not finite.
 *
 * @throws TraceError where not one tensor can be placed
 */
export async function placedTrace(dump: Dump, map: NameMap, manifest: Manifest): Promise<DumpTrace> {
  const notRead: NotRead[] = [...dump.notRead];
  const read: { readonly from: Row; readonly row: TraceRow }[] = [];
  for (const from of chosen(dump.tensors, map, notRead)) {
    try {
      read.push({ from, row: { ...(await traceRow(from)), seq: read.length } });
    } catch (error) {
      if (!(error instanceof LayerscopeError)) throw error;
      notRead.push({ name: from.tensor.name, why: reasonOf(error) });
    }
  }
  if (read.length === 0) throw nothingRead(dump, notRead);
  const entries = read.map(({ row }) => row);
  const overflowed = read.filter(({ from }) => !Number.isFinite(from.tensor.part?.statistics.sum ?? 0));
  const parts = {
    manifest: {
      ...dump.manifest,
      ...manifest,
      notRead,
      ...(overflowed.length > 0 ? { overflowedSums: overflowed.map(({ row }) => row.name) } : {}),
    },
    entries,
    source: dump.source,
    values: (row: TraceRow) => valuesOf((read[row.seq] as (typeof read)[number]).from),
  };
  return new DumpTrace(parts, dump);
}

/** A trace made of a dump. Close it when done. */
export class DumpTrace extends RowTrace {
  readonly #dump: Dump;

  constructor(parts: TraceParts, dump: Dump) {
    super(parts);
    this.#dump = dump;
  }

  async close(): Promise<void> {
    await this.#dump.close?.();
  }
}

/** The tensors that are ours, by pass and order; of several with one name the last. */
function chosen(tensors: readonly ForeignTensor[], map: NameMap, notRead: NotRead[]): Row[] {
  const rows = new Map<string, Row>();
  for (const tensor of tensors) {
    const placed = map(tensor);
    if (typeof placed === 'string') {
      notRead.push({ name: tensor.name, why: placed });
      continue;
    }
    const key = (name: string) => `${tensor.pass} ${name}`;
    const before = rows.get(key(placed.name));
    if (before && placed.earlier) rows.set(key(placed.earlier), { ...before, name: placed.earlier });
    else if (before) notRead.push({ name: before.tensor.name, why: `${tensor.name} is ${placed.name} too, and later` });
    rows.set(key(placed.name), { tensor, placed, name: placed.name });
  }
  return [...rows.values()].sort((a, b) => a.tensor.pass - b.tensor.pass || a.placed.order - b.placed.order);
}

async function traceRow(row: Row): Promise<TraceRow> {
  const { tensor, placed, name } = row;
  const shape = placed.view?.shape ?? tensor.shape ?? [];
  const common = {
    run: 'run',
    seq: 0,
    pass: tensor.pass,
    step: tensor.name,
    name,
    hook: placed.hook,
    hf: placed.hf,
    layer: placed.layer,
    op: placed.op,
    pos0: placed.pos0,
    srcDtype: tensor.dtype,
    shape,
    dims: placed.dims,
    sha256: null,
  };
  if (tensor.part) return { ...common, ...partlyKnown(tensor.part, tensor, placed), hasValues: false };
  return { ...common, statistics: statisticsOf(await valuesOf(row)), hasValues: true };
}

async function valuesOf({ tensor, placed }: Row): Promise<Float32Array> {
  const data = await (tensor.load?.() ?? Promise.resolve(new Float32Array(0)));
  return placed.view ? gathered(data, placed.view, tensor.name) : data;
}

const UNKNOWN: Statistics = {
  n: Number.NaN,
  sum: Number.NaN,
  mean: Number.NaN,
  rms: Number.NaN,
  min: null,
  max: null,
  absmax: null,
  nanCount: 0,
  infCount: 0,
  zeroCount: 0,
  hash64: '',
};

/** Of a part of a tensor what still holds of our view of it. */
function partlyKnown(
  { statistics, sumResolution, sample }: ForeignPart,
  { size }: ForeignTensor,
  { view, restIsZero }: Placed,
): { readonly statistics: Statistics; readonly partly: PartlyKnown } {
  const ours = view ? product(view.shape) : size;
  const isAll = ours === size || size === null;
  const { sum, ...others } = statistics;
  const kept: Partial<Statistics> = {
    ...(ours === null ? {} : { n: ours }),
    ...(isAll ? others : {}),
    ...(sum !== undefined && (isAll || restIsZero) ? { sum } : {}),
  };
  return {
    statistics: { ...UNKNOWN, ...kept },
    partly: {
      // Ours is over what is finite, so one that is not says nothing of it.
      known: (Object.keys(kept) as (keyof Statistics)[]).filter((each) => each !== 'sum' || Number.isFinite(sum)),
      sumResolution,
      sample: sample && view ? sampleInOurs(sample, view) : sample,
    },
  };
}

function sampleInOurs({ offsets, values, resolution }: Sample, view: View): Sample {
  const kept = Array.from(offsets, (offset, i) => ({ at: offsetInOurs(offset, view), value: values[i] as number }))
    .filter((element): element is { at: number; value: number } => element.at !== null)
    .sort((a, b) => a.at - b.at);
  return {
    offsets: Uint32Array.from(kept, ({ at }) => at),
    values: Float32Array.from(kept, ({ value }) => value),
    resolution,
  };
}

/** Half a unit of the last of so many decimals. */
export function halfUnit(decimals: number): number {
  return Number(`5e${-decimals - 1}`);
}

/** How many reasons an error lists. */
const SHOWN = 3;

function nothingRead({ source }: Dump, notRead: readonly NotRead[]): TraceError {
  const some = notRead.slice(0, SHOWN).map(({ name, why }) => `${name}: ${why}`);
  const more = notRead.length > SHOWN ? `, and ${notRead.length - SHOWN} more` : '';
  const found =
    notRead.length === 0 ? 'it holds no tensors' : `not one tensor in it can be used (${some.join('; ')}${more})`;
  return new TraceError(`Cannot read ${source}: ${found}; give its model and tokens, or the names of its tensors`, {
    file: source,
  });
}

/** What was found, of an error in our style: without "Cannot …:" before it. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/^Cannot [^:]*: /, '');
}
