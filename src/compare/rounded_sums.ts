/**
 * Of tables of sums: whether a rounding that is known by name gives a whole column. Nothing can be run on inputs that nobody kept, so
 * the text is run from its beginning, plainly and with each rounding. Two runs that round alike part no less than others once their
 * errors have grown; so the rounding is told by the first rows, and the others may be off by a tenth of what it allows.
 */
import type { Model } from '../engine/model.ts';
import { mustGoOn, type Watched } from '../engine/watched.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Explanation, Isolation } from './comparison.ts';
import type { Recorded, Rounding } from './isolation.ts';
import { columnOf, distanceOf, type Sum, sumsOf } from './sum_column.ts';
import { sumAllows } from './sums.ts';
import { toleranceFor } from './tolerances.ts';

/** Rows from which a rounding is told: little more than a layer. */
const EARLY = 20;

/** How many times nearer than a plain run a rounding must come to the first rows; by so much less than its class all are judged. */
const CLEARLY = 10;

export interface RoundedSums {
  readonly explained: Explanation;
  readonly madeBy: Isolation['madeBy'];
}

/**
 * The rounding that gives the sums of one side, where the other's are those of a plain run or of a rounding too. Null where a
 * side's are neither, and where it does not tell its tokens. Throws InterruptedError where it is stopped.
 */
export async function roundedSums(
  sides: { readonly ours: Recorded; readonly reference: Recorded },
  model: Model,
  roundings: readonly Rounding[],
  watched: Watched,
): Promise<RoundedSums | null> {
  let found: RoundedSums | null = null;
  for (const side of ['ours', 'reference'] as const) {
    const given = await givenBy(sides[side], model.untransformed, roundings, watched);
    if (!given) return null;
    if (given !== 'plain') found ??= { explained: given, madeBy: side };
  }
  return found;
}

async function givenBy(
  { trace }: Recorded,
  plain: Model,
  roundings: readonly Rounding[],
  watched: Watched,
): Promise<Explanation | 'plain' | null> {
  const column = columnOf(trace, plain);
  const tokens = trace.manifest.tokens ?? [];
  if (column.length === 0 || tokens.length === 0) return null;
  const early = column.slice(0, EARLY);
  const sums = async (model: Model) => {
    mustGoOn(watched.stop, 'look for a rounding that gives the sums', 'compare again');
    return sumsOf(model, tokens, trace);
  };
  const without = await sums(plain);
  if (isWithin(column, without, 'f32', 1)) return 'plain';
  for (const { name, transform } of roundings) {
    const rounded = await sums(plain.with(transform()));
    const left = distanceOf(early, rounded);
    if (CLEARLY * left <= distanceOf(early, without) && isWithin(column, rounded, 'f16', CLEARLY))
      return { name, left };
  }
  return null;
}

/** Whether every sum of a column is what a run gives, within the tolerance of a class divided by `share`. */
function isWithin(
  column: readonly TraceRow[],
  sums: ReadonlyMap<string, Sum>,
  precision: string,
  share: number,
): boolean {
  return column.every((row) => {
    const found = sums.get(`${row.name} ${row.pass}`);
    const tolerance = toleranceFor(row, precision);
    if (!found || !tolerance) return false;
    const allowed = sumAllows(found.size, tolerance.limit / share) + (row.partly?.sumResolution ?? 0);
    return Math.abs(found.sum - row.statistics.sum) <= allowed;
  });
}

/** What is known of a tensor by its sum alone. */
export function isolationOfSums({ explained, madeBy }: RoundedSums): Isolation {
  return {
    how: `our run with ${explained.name}, from its beginning`,
    inputs: [],
    onReference: null,
    onOurs: null,
    tolerance: { limit: explained.left, source: 'what is left of the first sums' },
    toF64: null,
    explained,
    outcome: 'precision',
    madeBy,
  };
}
