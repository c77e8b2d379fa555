/** A dump under our names, shapes and dims, its values brought into our layout when they are asked for. */
import { TraceError } from '../../errors.ts';
import { NameIndex } from '../../llama/names.ts';
import type { Statistics } from '../../trace/statistics.ts';
import type { Tensor } from '../../trace/tensor.ts';
import { type PartlyKnown, RowTrace, type Sample, type Trace, type TraceRow } from '../../trace/trace.ts';
import { type Layout, layoutNamed } from '../layouts.ts';
import { foreignRows, valuesOf } from './fits.ts';
import type { Match } from './tensor_map.ts';

/**
 * The dump as a trace of ours, in our order. `ours` is a run over the same tokens: it gives shapes and dims. What the map
 * does not match stays under its own name, after a `dump:` where ours has that name, so that nothing is left out silently.
 * Throws TraceError where the map names a tensor that the dump or our run has not, or a layout does not fit.
 */
export function mapped(
  dump: Trace,
  map: { readonly matches: readonly Pick<Match, 'theirs' | 'ours' | 'layout'>[] },
  ours: Trace,
): Trace {
  const matches = new Map(map.matches.map((match) => [match.theirs, match]));
  const index = new NameIndex(ours.names);
  const ourNames = new Set(ours.names);
  const places = new Map<TraceRow, () => Promise<Float32Array>>();
  const keys = keysOf(dump);
  for (const { theirs, ours: name } of map.matches) {
    const cannot = (found: string) =>
      new TraceError(`Cannot map ${theirs} to ${name}: ${found}; mend the map, or make it again`);
    if (!keys.some(({ key }) => key === theirs)) throw cannot(`the dump has no tensor ${theirs}`);
    if (!ourNames.has(name)) throw cannot(`our run has no tensor ${name}`);
  }
  const rows = keys.map(({ key, row, occurrence }) => {
    const match = matches.get(key);
    const load = () => valuesOf(dump, row, occurrence);
    const { row: made, values } = match
      ? ourRow(match, row, ours, index, load)
      : { row: { ...row, name: ourNames.has(key) ? `dump:${key}` : key, hook: null, hf: null }, values: load };
    const order = match ? ours.names.indexOf(match.ours) : ours.names.length;
    return { made, values, order };
  });
  rows.sort((a, b) => a.made.pass - b.made.pass || a.order - b.order);
  const entries = rows.map(({ made, values }, seq) => {
    const row: TraceRow = { ...made, seq };
    places.set(row, async () => {
      const found = await values();
      return found instanceof Float32Array ? found : found.data;
    });
    return row;
  });
  return new RowTrace({
    manifest: {
      ...dump.manifest,
      map: map.matches.map(({ theirs, ours: name, layout }) => ({ theirs, ours: name, layout })),
    },
    end: dump.end,
    entries,
    source: 'the mapped dump',
    values: (row) => places.get(row)!(),
  });
}

/** Every row with the key that a map has for it: that of the first pass, in each pass. */
function keysOf(dump: Trace): { key: string; row: TraceRow; occurrence: number }[] {
  const passes = [...new Set(dump.entries.map(({ pass }) => pass))];
  return passes.flatMap((pass) => foreignRows(dump, pass));
}

function ourRow(
  { ours: name, layout: layoutName }: Pick<Match, 'ours' | 'layout'>,
  row: TraceRow,
  ours: Trace,
  index: NameIndex,
  load: () => Promise<Tensor>,
): { readonly row: TraceRow; readonly values: () => Promise<Float32Array> } {
  const our = ours.entries.find((other) => other.name === name && other.pass === row.pass);
  const like = our ?? ours.entries.find((other) => other.name === name)!;
  const named = { ...row, name, ...index.aliases(name), layer: like.layer, op: like.op, dims: like.dims };
  // A table of sums has no shapes; a pass that ours has not is shown as it lies.
  if (!our || row.shape.length === 0)
    return { row: { ...named, dims: our ? like.dims : row.dims }, values: async () => (await load()).data };
  const layout = layoutNamed(layoutName, row.shape, our);
  const { shape, dims } = layout.covers;
  // Of the last token alone the position is its own; a dump read under its own names knows none.
  const token = dims.indexOf('token');
  const pos0 = our.pos0 + (our.shape[token] ?? 0) - (shape[token] ?? 0);
  const partly = row.partly ? { partly: partlyUnder(layout, row.partly) } : {};
  return {
    row: { ...named, pos0, shape, dims, statistics: statisticsUnder(layout, row.statistics), sha256: null, ...partly },
    values: async () => layout.toOurs((await load()).data),
  };
}

/** What is known of the numbers in another order; NaN, null or '' where the layout changes more than that. */
function statisticsUnder(layout: Layout, statistics: Statistics): Statistics {
  if (layout.movesNothing && layout.factor === 1) return statistics;
  if (layout.isPermutation && layout.factor === 1) return { ...statistics, hash64: '' };
  const { copies, factor } = layout;
  const sum = (factor * statistics.sum) / copies;
  const n = layout.covers.shape.reduce((a, b) => a * b, 1);
  const scaled = (value: number | null) => (value === null ? null : factor * value);
  return {
    n,
    sum,
    mean: sum / n,
    rms: layout.isPadded ? Number.NaN : factor * statistics.rms,
    min: layout.isPadded ? null : scaled(statistics.min),
    max: layout.isPadded ? null : scaled(statistics.max),
    absmax: scaled(statistics.absmax),
    nanCount: statistics.nanCount / copies,
    infCount: statistics.infCount / copies,
    zeroCount: layout.isPadded ? 0 : statistics.zeroCount / copies,
    hash64: '',
  };
}

function partlyUnder(layout: Layout, partly: PartlyKnown): PartlyKnown {
  const known = partly.known.filter((key) => key !== 'hash64');
  return {
    known,
    sumResolution: layout.factor * partly.sumResolution,
    sample: partly.sample && sampleUnder(layout, partly.sample),
  };
}

function sampleUnder(layout: Layout, { offsets, values, resolution }: Sample): Sample {
  const places = new Map<number, number>();
  for (const [i, offset] of offsets.entries()) {
    const at = layout.ourOffset(offset);
    if (at >= 0) places.set(at, layout.factor * values[i]!);
  }
  const sorted = [...places].sort(([a], [b]) => a - b);
  return {
    offsets: Uint32Array.from(sorted, ([at]) => at),
    values: Float32Array.from(sorted, ([, value]) => value),
    resolution: layout.factor * resolution,
  };
}
