/**
 * Is a run the same each time? It is repeated and the tensors' hashes are compared, which keeps nothing but statistics; the
 * first tensor that differs is then read in each run, to say by how much and where.
 */
import type { Model } from '../engine/model.ts';
import type { Run } from '../engine/run.ts';
import { mustGoOn, watchedBy } from '../engine/watched.ts';
import { UsageError } from '../errors.ts';
import type { Watch } from '../platform.ts';
import type { Tensor } from '../trace/tensor.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import type { Place } from './comparison.ts';
import { placeAt } from './measure.ts';

export interface DeterminismOptions extends Watch {
  /** How often it is run, 2 or more. Default 3. */
  readonly runs?: number;
}

/** How far the values of several runs are apart. */
export interface Spread {
  /** Elements that are not the same in all runs, of how many. */
  readonly differing: number;
  readonly n: number;
  /** The largest difference between the greatest and the least value of an element, where it is, and its value in each run. */
  readonly largest: number;
  readonly at: Place;
  readonly values: readonly number[];
  /** RMS of those differences over the RMS of the first run. */
  readonly relative: number;
}

export interface Unstable {
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  /** By run; null where it is not told. */
  readonly hashes: readonly (string | null)[];
  /** Null where there are no values, and where it was the same each time when it was run to once more. */
  readonly spread: Spread | null;
  /** By run, where nothing but sums are told. */
  readonly sums: readonly number[] | null;
  /** What usually makes an op like this one differ, and what to look at first. */
  readonly usualCauses: readonly string[];
}

export interface Stability {
  /** True where every tensor that was compared is the same in all runs. */
  readonly isStable: boolean;
  readonly runs: number;
  /** Tensors compared, and those that differ. */
  readonly tensors: number;
  readonly unstable: number;
  /** In order of execution. */
  readonly first: Unstable | null;
  /** Tensors that one run has and another lacks, or of which too little is known: nothing is said of them. */
  readonly notCompared: readonly { readonly name: string; readonly why: string }[];
}

/**
 * Runs `input` as often as told and compares every tensor's bits. Throws UsageError for fewer than two runs, InterruptedError
 * where it is stopped.
 */
export async function determinism(
  model: Model,
  input: string | readonly number[],
  { runs = 3, signal, onProgress }: DeterminismOptions = {},
): Promise<Stability> {
  mustBeSeveral(runs);
  const watched = watchedBy(model.platform, { signal, onProgress });
  const seen: (readonly TraceRow[])[] = [];
  for (let i = 0; i < runs; i++) {
    const of = (done: number, total: number) => ({ done: i * total + done, total: runs * total });
    const run = model.start(input, { select: 'none' });
    try {
      await run.toEnd({
        signal,
        ...(watched.onProgress && {
          onProgress: (progress) => watched.onProgress?.({ ...progress, ...of(progress.done, progress.total) }),
        }),
      });
      seen.push(run.trace.entries.map((row) => ({ ...row, statistics: row.statistics, hasValues: false })));
    } finally {
      run.close();
    }
  }
  const stability = stabilityOf(seen);
  if (!stability.first) return stability;
  const { name, pass } = stability.first;
  const values: Tensor[] = [];
  for (let i = 0; i < runs; i++) values.push(await readAgain(model, input, name, pass, { signal }));
  return {
    ...stability,
    first: {
      ...stability.first,
      spread: spreadOf(
        values,
        seen[0]?.find((row) => row.name === name && row.pass === pass),
      ),
    },
  };
}

/** A tensor of a run that goes no further than to its pass. */
async function readAgain(
  model: Model,
  input: string | readonly number[],
  name: string,
  pass: number,
  watch: Watch,
): Promise<Tensor> {
  const run: Run = model.start(input, { select: name });
  try {
    await run.toEnd(watch);
    return await run.tensor(name, { pass });
  } finally {
    run.close();
  }
}

/**
 * The first tensor that is not the same in all traces, which should be runs of one thing: by its bits where they are told,
 * by what is told of it elsewhere. Throws UsageError for fewer than two traces, or where their tokens differ.
 */
export async function firstUnstable(
  traces: readonly Trace[],
  { signal }: Pick<Watch, 'signal'> = {},
): Promise<Stability> {
  mustBeSeveral(traces.length);
  const tokens = new Set(traces.map(({ manifest }) => manifest.tokens?.join(' ')).filter((ids) => ids !== undefined));
  if (tokens.size > 1) {
    throw new UsageError(
      `Cannot compare ${traces.length} runs: their tokens differ (${[...tokens].map((ids) => `${ids}`.slice(0, 40)).join(' | ')}); repeat one run, with the same tokens`,
    );
  }
  const stability = stabilityOf(traces.map(({ entries }) => entries));
  const { first } = stability;
  if (!first) return stability;
  mustGoOn(signal, 'compare the runs', 'compare them again');
  const rows = traces.map(({ entries }) =>
    entries.find(({ name, pass }) => name === first.name && pass === first.pass),
  );
  if (!rows.every((row) => row?.hasValues)) return stability;
  const values = await Promise.all(traces.map((trace) => trace.tensor(first.name, { pass: first.pass })));
  return { ...stability, first: { ...first, spread: spreadOf(values, rows[0]) } };
}

function mustBeSeveral(runs: number): void {
  if (Number.isInteger(runs) && runs >= 2) return;
  throw new UsageError(`Cannot tell whether ${runs} runs are the same: give 2 or more, 3 for a start`);
}

function stabilityOf(runs: readonly (readonly TraceRow[])[]): Stability {
  const [first = [], ...others] = runs.map((rows) => new Map(rows.map((row) => [`${row.pass} ${row.name}`, row])));
  const notCompared: { name: string; why: string }[] = [];
  let [tensors, unstable] = [0, 0];
  let earliest: Unstable | null = null;
  const base = first as ReadonlyMap<string, TraceRow>;
  for (const [key, row] of base) {
    const rows = [row, ...others.flatMap((other) => other.get(key) ?? [])];
    if (rows.length < runs.length) {
      notCompared.push({ name: row.name, why: `${runs.length - rows.length} of ${runs.length} runs do not hold it` });
      continue;
    }
    const differs = rowsDiffer(rows);
    if (differs === null) {
      notCompared.push({ name: row.name, why: 'neither its values nor its sum are told' });
      continue;
    }
    tensors++;
    if (!differs) continue;
    unstable++;
    earliest ??= unstableOf(rows);
  }
  for (const other of others) {
    for (const [key, { name }] of other) {
      if (!base.has(key) && !notCompared.some((each) => each.name === name))
        notCompared.push({ name, why: 'the first run does not hold it' });
    }
  }
  return { isStable: unstable === 0, runs: runs.length, tensors, unstable, first: earliest, notCompared };
}

/** Null where too little is known to tell. */
function rowsDiffer(rows: readonly TraceRow[]): boolean | null {
  const differ = <T>(values: readonly T[]) => new Set(values).size > 1;
  if (differ(rows.map(({ shape }) => shape.join()))) return true;
  if (rows.every((row) => isKnown(row, 'hash64'))) return differ(rows.map(({ statistics }) => statistics.hash64));
  const samples = rows.map(({ partly }) => partly?.sample);
  if (samples.every((sample) => sample) && differ(samples.map((sample) => sample?.values.join()))) return true;
  if (!rows.every((row) => isKnown(row, 'sum'))) return samples.every((sample) => sample) ? false : null;
  return differ(rows.map(({ statistics }) => statistics.sum));
}

function isKnown({ partly }: TraceRow, key: keyof TraceRow['statistics']): boolean {
  return !partly || partly.known.includes(key);
}

function unstableOf(rows: readonly TraceRow[]): Unstable {
  const { name, op, layer, pass } = rows[0] as TraceRow;
  return {
    ...{ name, op, layer, pass },
    hashes: rows.map((row) => (isKnown(row, 'hash64') ? row.statistics.hash64 : null)),
    spread: null,
    sums: rows.every((row) => isKnown(row, 'sum')) ? rows.map(({ statistics }) => statistics.sum) : null,
    usualCauses: usualCausesOf(op),
  };
}

/** Null where the values are all the same. */
function spreadOf(values: readonly Tensor[], row: TraceRow | undefined): Spread | null {
  const [first] = values;
  if (!first || values.some(({ size }) => size !== first.size)) return null;
  const bits = values.map(({ data }) => new Uint32Array(data.buffer, data.byteOffset, data.length));
  let [differing, largest, worst, squares, size] = [0, -1, 0, 0, 0];
  for (let i = 0; i < first.size; i++) {
    size += (first.data[i] as number) ** 2;
    if (bits.every((each) => each[i] === bits[0]?.[i])) continue;
    differing++;
    const each = values.map(({ data }) => data[i] as number);
    const gap = Math.max(...each) - Math.min(...each);
    const apart = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
    squares += apart ** 2;
    if (apart > largest) [largest, worst] = [apart, i];
  }
  if (differing === 0) return null;
  const { shape, dims } = first;
  return {
    ...{ differing, n: first.size, largest },
    at: placeAt({ shape, dims, pos0: row?.pos0 ?? 0 }, worst),
    values: values.map(({ data }) => data[worst] as number),
    relative: squares === 0 ? 0 : Math.sqrt(squares / size),
  };
}

const STALE =
  'Memory that is used again without being cleared and not written in full, such as a buffer pool hands out: fill it with a ' +
  'NaN before the op and look what is left of it, rather than zeroing it, which hides the op that writes too little';
const ORDER =
  'If the difference is near rounding, sums whose order changes from run to run: atomic adds, split-K, a reduction over a varying number of threads';
const SYNC =
  'An op that starts before the one whose output it reads has ended: a missing barrier or wait between queues';

const CACHE = 'The KV cache or the positions: keys beyond the text that are read, or read before they are written';
const TOKENS = 'Token ids that are overwritten while they are read';

/** By op of ours: what makes it differ from run to run, the most usual first. */
function usualCausesOf(op: string): string[] {
  switch (op) {
    case 'get_rows':
      return [TOKENS, STALE];
    case 'mul_mat':
    case 'rms_norm':
    case 'kqv':
      return [ORDER, STALE, SYNC];
    case 'kq':
    case 'soft_max':
    case 'rope':
      return [CACHE, STALE, SYNC];
    default: // Nothing is summed, so it is not rounding.
      return [STALE, SYNC];
  }
}
