/**
 * How well each of a stranger's tensors fits each of ours, by its numbers: under every layout that the two shapes allow, on
 * a sample of places that is the same for all; on what a log printed; or, where no numbers are known, by their statistics.
 * Each tensor of either side is read once.
 */
import { mustGoOn } from '../../engine/watched.ts';
import type { Watch } from '../../platform.ts';
import type { Statistics } from '../../trace/statistics.ts';
import type { Tensor } from '../../trace/tensor.ts';
import type { Sample, Trace, TraceRow } from '../../trace/trace.ts';
import { AS_OURS, type Axes, coveredOf, type Layout, layoutsBetween, maskedScores, scaledScores } from '../layouts.ts';
import { dependenciesOf } from './dependencies.ts';

/** A tensor of theirs against one of ours. */
export interface Fit {
  readonly ours: string;
  readonly layout: string;
  /** Relative RMS error, or the distance of the statistics. NaN where nothing could be held against each other. */
  readonly error: number;
  /** NaN where there are no values, or one side is zero. */
  readonly cosine: number;
  /** The highest cosine under a layout that places the numbers otherwise; NaN where there is none. */
  readonly rival: number;
  readonly by: 'values' | 'printed values' | 'statistics' | 'shape';
  /** How many numbers were compared, and of how many; for statistics, how many of them. */
  readonly n: number;
  readonly of: number;
}

export interface Foreign {
  /** Its name; of several with one name in a pass, the later have `#2`, `#3`. */
  readonly key: string;
  readonly row: TraceRow;
  /** Of one name, in `Trace.tensor(name, { pass: 'all' })`. */
  readonly occurrence: number;
  /** The best layout for each of ours whose shape allows one, the best fit first. */
  readonly fits: readonly Fit[];
}

export interface Evidence {
  /** In the order of their dump. */
  readonly foreign: readonly Foreign[];
  /** Ours that can be found, in order of execution. */
  readonly ours: readonly TraceRow[];
}

/** Numbers of a tensor that are looked at, at most. */
const SAMPLE = 4096;
/** Numbers that a log must have printed for a cosine to say something. */
const LEAST_PRINTED = 8;
/** Hidden cells that are looked at for what they are masked with. */
const HIDDEN = 64;
/** Relative RMS error up to which numbers are taken for the same: above what quantised weights cost llama.cpp (6 %). */
export const SAME = 0.1;

/**
 * Reads both traces and holds everything against everything. Only tensors of the forward pass count, and of several passes
 * the first that the dump has. Throws InterruptedError where `signal` says so.
 */
export async function evidenceOf(dump: Trace, ours: Trace, { onProgress, signal }: Watch = {}): Promise<Evidence> {
  const first = Math.min(...dump.entries.map(({ pass }) => pass));
  const theirRows = foreignRows(dump, first);
  const known = new Set(dependenciesOf(ours.names).names);
  const pass = ours.entries.some((row) => row.pass === first) ? first : 0;
  const ourRows = ours.entries.filter((row) => row.pass === pass && known.has(row.name));
  const headDim = headDimOf(ourRows);
  const layouts = layoutCache();
  const places: Places = new WeakMap();
  const total = ourRows.length + theirRows.length;
  const say = (item: string, done: number) => {
    mustGoOn(signal, 'map the dump', 'call it again');
    onProgress?.({ task: 'mapping tensors', item, done, total, unit: 'tensors' });
  };

  const printed = theirRows.filter(
    ({ row }) => !row.hasValues && (row.partly?.sample?.offsets.length ?? 0) >= LEAST_PRINTED,
  );
  const fits = new Map<Foreign['key'], Fit[]>(theirRows.map(({ key }) => [key, []]));
  const samples = new Map<string, OurSample[]>();
  for (const [i, row] of ourRows.entries()) {
    say(row.name, i + 1);
    if (!row.hasValues) continue;
    const tensor = await ours.tensor(row.name, { pass: row.pass });
    samples.set(row.name, samplesOf(tensor, row.pos0));
    for (const { key, row: theirs } of printed) {
      const sample = theirs.partly!.sample!;
      const found = layouts(theirs.shape, row).flatMap((layout) =>
        printedFit(layout, sample, tensor, scaleOf(row, headDim)),
      );
      add(fits.get(key)!, row, found);
    }
  }
  for (const [i, { key, row, occurrence }] of theirRows.entries()) {
    say(key, ourRows.length + i + 1);
    const data = row.hasValues ? (await valuesOf(dump, row, occurrence)).data : null;
    const own = fits.get(key)!;
    const look = data && lookAt(data, places);
    const done = new Set(own.map((fit) => fit.ours));
    for (const our of ourRows) {
      const sampled = samples.get(our.name);
      if (done.has(our.name)) continue;
      if (hasNoShape(row)) own.push(statisticsFit(row, our, AS_OURS));
      else {
        const between = layouts(row.shape, our);
        if (look && sampled) add(own, our, valueFits(between, look, sampled, scaleOf(our, headDim)));
        else if (between[0]) own.push(statisticsFit(row, our, between[0].name));
      }
    }
    own.sort((a, b) => rank(a) - rank(b) || cosineRank(b) - cosineRank(a));
  }
  return { foreign: theirRows.map((theirs) => ({ ...theirs, fits: fits.get(theirs.key)! })), ours: ourRows };
}

/** The values of a row, though another of its pass may have its name. */
export async function valuesOf(trace: Trace, row: TraceRow, occurrence: number): Promise<Tensor> {
  const isAlone = trace.entries.every((other) => other === row || other.name !== row.name || other.pass !== row.pass);
  if (isAlone) return trace.tensor(row.name, { pass: row.pass });
  return (await trace.tensor(row.name, { pass: 'all' }))[occurrence]!;
}

/** The rows of a pass of the dump, each under a key of its own. */
export function foreignRows(dump: Trace, pass: number): Omit<Foreign, 'fits'>[] {
  const seen = new Map<string, { inAll: number; inPass: number }>();
  return dump.entries.flatMap((row) => {
    const { inAll, inPass } = seen.get(row.name) ?? { inAll: 0, inPass: 0 };
    const isOfPass = row.pass === pass;
    seen.set(row.name, { inAll: inAll + 1, inPass: inPass + (isOfPass ? 1 : 0) });
    if (!isOfPass) return [];
    return [{ key: inPass === 0 ? row.name : `${row.name}#${inPass + 1}`, row, occurrence: inAll }];
  });
}

/** Whether a row tells no shape: a table of sums has names alone. */
function hasNoShape({ shape, partly }: TraceRow): boolean {
  return partly !== undefined && shape.length === 0;
}

function headDimOf(rows: readonly TraceRow[]): number {
  return rows.find(({ dims }) => dims.at(-1) === 'dim')?.shape.at(-1) ?? 1;
}

/** Of scores, which may have been divided by √d; null for anything else. */
function scaleOf({ name }: TraceRow, headDim: number): Scale | null {
  return name.startsWith('kq-') ? { headDim, factor: Math.sqrt(headDim) } : null;
}

interface Scale {
  readonly headDim: number;
  readonly factor: number;
}

/** The layouts between two shapes, made once: most tensors share theirs. */
function layoutCache(): (theirs: readonly number[], ours: Axes) => readonly Layout[] {
  const cache = new Map<string, readonly Layout[]>();
  return (theirs, { shape, dims }) => {
    const key = `${theirs}|${shape}|${dims}`;
    const known = cache.get(key) ?? layoutsBetween(theirs, { shape, dims });
    cache.set(key, known);
    return known;
  };
}

/** Where a layout has the sampled places in theirs; it depends on the shapes alone. */
type Places = WeakMap<Layout, Float64Array>;

/** Some places of a tensor of ours, or of its last token, and the numbers there. */
interface OurSample {
  readonly lastTokenOnly: boolean;
  readonly offsets: Float64Array;
  readonly values: Float32Array;
  /** Places whose numbers a causal mask hides; they are in no sample. */
  readonly hidden: readonly number[];
}

function samplesOf(tensor: Tensor, pos0: number): OurSample[] {
  const { shape, dims } = tensor;
  const token = dims.indexOf('token');
  return [false, true].flatMap((lastTokenOnly) => {
    if (lastTokenOnly && (token < 0 || shape[token] === 1)) return [];
    const data = coveredOf(tensor, { lastTokenOnly });
    const isHidden = lastTokenOnly ? () => false : hiddenBy({ shape, dims }, pos0);
    const offsets: number[] = [];
    const hidden: number[] = [];
    for (const offset of spread(data.length)) {
      if (!isHidden(offset)) offsets.push(offset);
      else if (hidden.length < HIDDEN) hidden.push(offset);
    }
    const values = Float32Array.from(offsets, (offset) => data[offset]!);
    return [{ lastTokenOnly, offsets: Float64Array.from(offsets), values, hidden }];
  });
}

/**
 * All places, or some, so that the first few lie evenly without a period: multiples of the golden ratio (Weyl 1916), of a
 * whole number without common divisor where all are taken.
 */
function* spread(size: number): Generator<number> {
  const step = coprimeNear(GOLDEN * size, size);
  if (size <= SAMPLE) for (let i = 0; i < size; i++) yield (i * step) % size;
  else for (let i = 0; i < SAMPLE; i++) yield Math.floor((((i + 0.5) * GOLDEN) % 1) * size);
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

function coprimeNear(x: number, size: number): number {
  let step = Math.max(1, Math.floor(x));
  while (divisor(step, size) !== 1) step++;
  return step;
}

/** The greatest common one (Euclid). */
function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** Whether a causal mask hides a place: the key stands after the token. */
function hiddenBy({ shape, dims }: Axes, pos0: number): (offset: number) => boolean {
  const [token, key] = [dims.indexOf('token'), dims.indexOf('key')];
  if (token < 0 || key < 0) return () => false;
  const stepOf = (axis: number) => shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const indexAt = (offset: number, axis: number) => Math.floor(offset / stepOf(axis)) % shape[axis]!;
  return (offset) => indexAt(offset, key) > pos0 + indexAt(offset, token);
}

/** A fit under one layout. */
type LayoutFit = Omit<Fit, 'ours' | 'rival'>;

/** A tensor of theirs through layouts. */
interface Look {
  readonly size: number;
  /** The numbers at the first `count` of the sampled places; one array for all of ours of a shape. */
  sampled(layout: Layout, offsets: Float64Array, count: number): Float32Array;
  at(layout: Layout, offset: number): number;
}

function lookAt(data: Float32Array, places: Places): Look {
  const seen = new Map<Layout, Float32Array>();
  return {
    size: data.length,
    sampled(layout, offsets, count) {
      const at = places.get(layout) ?? Float64Array.from(offsets, (offset) => layout.theirOffset(offset));
      places.set(layout, at);
      const known = seen.get(layout);
      if (known && known.length >= count) return known;
      const values = new Float32Array(count);
      for (let i = 0; i < count; i++) values[i] = data[at[i]!]!;
      seen.set(layout, values);
      return values;
    },
    at: (layout, offset) => data[layout.theirOffset(offset)]!,
  };
}

/** The layouts that a few places leave, on all of the sample; where those few leave none, what they say. */
function valueFits(
  layouts: readonly Layout[],
  theirs: Look,
  samples: readonly OurSample[],
  scale: Scale | null,
): LayoutFit[] {
  const fitsOf = (some: readonly Layout[], places: number) =>
    some.flatMap((layout) => {
      const sample = samples.find(({ lastTokenOnly }) => lastTokenOnly === layout.lastTokenOnly);
      if (!sample) return [];
      const count = Math.min(places, sample.offsets.length);
      const fit = closeness(layout.name, theirs.sampled(layout, sample.offsets, count), sample.values, count, scale);
      return [{ layout, sample, fit: { ...fit, by: 'values' as const, of: theirs.size } }];
    });
  const first = bestOf(fitsOf(layouts, PREVIEW), ({ fit }) => fit).slice(0, KEPT);
  if (!(score(first[0]?.fit) >= HOPEFUL)) return first.map(({ fit }) => fit);
  const full = fitsOf(
    first.map(({ layout }) => layout),
    SAMPLE,
  );
  return full.map(({ layout, sample, fit }) => {
    if (!scale || !(fit.error <= SAME)) return fit;
    const mask = maskOf(sample.hidden.map((offset) => theirs.at(layout, offset)));
    return { ...fit, layout: joined(fit.layout, mask) };
  });
}

/** Places that are looked at first, how many layouts they leave, and the cosine below which none is worth more. */
const PREVIEW = 256;
const KEPT = 3;
const HOPEFUL = 0.3;

function printedFit(layout: Layout, { offsets, values }: Sample, ours: Tensor, scale: Scale | null): LayoutFit {
  const data = coveredOf(ours, layout);
  const pairs = Array.from(offsets, (offset, i) => [values[i]!, layout.ourOffset(offset)] as const);
  const seen = pairs.filter(([, at]) => at >= 0);
  const theirs = Float32Array.from(seen, ([value]) => value);
  const fit = closeness(
    layout.name,
    theirs,
    Float32Array.from(seen, ([, at]) => data[at]!),
    seen.length,
    scale,
  );
  return { ...fit, by: 'printed values', of: ours.size };
}

/** Error and cosine over the first `count` pairs; those where one is not finite are left out. */
function closeness(
  layout: string,
  theirs: Float32Array,
  ours: Float32Array,
  count: number,
  scale: Scale | null,
): Pick<LayoutFit, 'layout' | 'error' | 'cosine' | 'n'> {
  const factor = scale?.factor ?? 1;
  let [aa, bb, ab, n, plain, scaled] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const a = theirs[i]!;
    const b = ours[i]!;
    const difference = a - b;
    // Not finite where one of the two is not.
    if (difference - difference !== 0) continue;
    aa += a * a;
    bb += b * b;
    ab += a * b;
    plain += difference * difference;
    scaled += (factor * a - b) * (factor * a - b);
    n++;
  }
  const cosine = ab / Math.sqrt(aa * bb);
  const isSame = Math.min(plain, scaled) <= SAME ** 2 * bb;
  // Where a bug has changed the scores, their size alone tells.
  const isScaled = isSame ? scaled < plain : aa * factor < bb;
  const name = isScaled && scale ? joined(layout, scaledScores(scale.headDim)) : layout;
  const error = n === 0 ? Number.NaN : Math.sqrt((isScaled ? scaled : plain) / bb);
  return { layout: name, error: Number.isNaN(error) && n > 0 ? 0 : error, cosine, n };
}

/** The name of a layout with one more word. */
function joined(layout: string, more: string | null): string {
  if (more === null) return layout;
  return layout === AS_OURS ? more : `${layout}, ${more}`;
}

/** What cells that a mask hides hold; null where they hold scores. */
function maskOf(cells: readonly number[]): string | null {
  if (cells.length === 0) return null;
  if (cells.every((cell) => cell === Number.NEGATIVE_INFINITY)) return maskedScores('-inf');
  if (cells.every((cell) => cell === 0)) return maskedScores('0');
  if (cells.every((cell) => cell < LEAST_MASK)) return maskedScores(Number(cells[0]!.toPrecision(2)).toExponential());
  return null;
}

/** No score comes near it; engines that have no infinity write -1e9, -3.4e38 or f16's -65504. */
const LEAST_MASK = -1e4;

/** Adds the fit of the best of several layouts. */
function add(fits: Fit[], { name }: TraceRow, layouts: readonly LayoutFit[]): void {
  const [best, second] = bestOf(layouts, (fit) => fit);
  if (best) fits.push({ ...best, ours: name, rival: second?.cosine ?? Number.NaN });
}

/** The best first. Masked cells are not finite: a layout that lays them upon scores compares the few that are left. */
function bestOf<T>(list: readonly T[], fitOf: (item: T) => LayoutFit): T[] {
  const most = Math.max(...list.map((item) => fitOf(item).n));
  return list.filter((item) => fitOf(item).n >= most / 2).sort((a, b) => score(fitOf(b)) - score(fitOf(a)));
}

/** Layouts by error where the numbers are the same, else by cosine: a bug may have scaled them. */
function score(fit: LayoutFit | undefined): number {
  if (!fit || (Number.isNaN(fit.cosine) && !(fit.error <= SAME))) return -2;
  return fit.error <= SAME ? 2 - fit.error : fit.cosine;
}

/** By what is known of both without their numbers. A single statistic proves nothing and gives no error. */
function statisticsFit(
  { statistics: theirs, partly }: TraceRow,
  { name, statistics: ours }: TraceRow,
  layout: string,
): Fit {
  const isKnown = (key: keyof Statistics) => partly === undefined || partly.known.includes(key);
  const distances: number[] = [];
  const hold = (key: keyof Statistics, unit: number, resolution = 0) => {
    const [a, b] = [theirs[key], ours[key]];
    if (!isKnown(key) || typeof a !== 'number' || typeof b !== 'number' || !Number.isFinite(a)) return;
    distances.push(Math.max(0, Math.abs(a - b) - resolution) / (unit || 1));
  };
  hold('rms', ours.rms);
  // Rounding moves each number by a share of the RMS, and a sum of n of them by √n as much.
  if (isKnown('sum')) hold('sum', ours.rms * Math.sqrt(ours.n), partly?.sumResolution);
  else hold('mean', ours.rms / Math.sqrt(ours.n));
  for (const key of ['min', 'max'] as const) hold(key, ours.absmax ?? 1);
  const error = distances.length < 2 ? Number.NaN : Math.max(...distances);
  const by = distances.length === 0 ? 'shape' : 'statistics';
  return { ours: name, layout, error, cosine: Number.NaN, rival: Number.NaN, by, n: distances.length, of: 4 };
}

function rank({ error }: Fit): number {
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}

function cosineRank({ cosine }: Fit): number {
  return Number.isNaN(cosine) ? -2 : cosine;
}
