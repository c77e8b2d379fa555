/** One pair of tensors, measured and judged: a row of the comparison. */
import type { Trace, TraceRow } from '../trace/trace.ts';
import type { Explanation, Isolation, NotCompared, TensorComparison, Tolerance } from './comparison.ts';
import { judge } from './judge.ts';
import { otherLayout } from './layouts.ts';
import { measure, type Pair } from './measure.ts';
import { loadPair, type PairedRows } from './pairs.ts';
import { judgeStatistics } from './sums.ts';
import { type ToleranceRule, toleranceFor } from './tolerances.ts';

export interface PairRules {
  readonly mode: 'tolerance' | 'exact';
  /** How the two sides compute; see `precisionOf`. */
  readonly precision: string;
  readonly rules: readonly ToleranceRule[];
}

/** What can be said of a pair; where that is nothing, why. */
export async function comparePair(
  ours: Trace,
  reference: Trace,
  rows: PairedRows,
  { mode, precision, rules }: PairRules,
): Promise<TensorComparison | NotCompared> {
  const [mine, theirs] = [rows.ours[0], rows.reference[0]] as [TraceRow, TraceRow];
  const common = {
    name: rows.name,
    op: mine.op,
    layer: mine.layer,
    pass: mine.pass,
    shape: mine.shape,
    dims: mine.dims,
    statistics: { ours: mine.statistics, reference: theirs.statistics },
    isolation: null,
    toF64: null,
  };
  const loaded = await loadPair(ours, reference, rows);
  if (loaded.pair === null) {
    const tolerance = toleranceFor(mine, precision, rules);
    const bare = { ...common, tolerance, measure: null, coverage: 0, worst: null, byToken: null, byHead: null };
    if (!loaded.shapesDiffer) {
      if (!tolerance) return { ...bare, status: 'no rule' };
      const status = judgeStatistics(mine, theirs, tolerance);
      return status ? { ...bare, status } : { name: rows.name, pass: mine.pass, why: whyNothing(mine, theirs) };
    }
    return { ...bare, status: 'beyond', isolation: await layoutBetween(ours, reference, mine, theirs, tolerance) };
  }
  const { coverage, resolution } = loaded;
  const pair: Pair = { ...loaded.pair, storage: { ours: mine.srcDtype, reference: theirs.srcDtype } };
  // Of passes that were joined: over the last position of all of them.
  const tolerance = toleranceFor({ ...mine, shape: pair.shape, pos0: pair.pos0 }, precision, rules);
  const measured = measure(pair);
  const { measure: whole, byToken, byHead } = measured;
  const judgement = judge(pair, measured, tolerance, { resolution, mode });
  return { ...common, tolerance, ...judgement, shape: pair.shape, measure: whole, coverage, byToken, byHead };
}

function whyNothing(mine: TraceRow, theirs: TraceRow): string {
  const overflowed = [
    ...(Math.abs(mine.statistics.sum) === Number.POSITIVE_INFINITY ? ['ours'] : []),
    ...(Math.abs(theirs.statistics.sum) === Number.POSITIVE_INFINITY ? ['the reference'] : []),
  ];
  if (overflowed.length === 0) return 'the two know nothing of it in common';
  return `its sum overflowed in ${overflowed.join(' and ')}: that says nothing of the tensor`;
}

/** Whether one pass of both holds the same values in another order; null where not, and where values are not at hand. */
export async function layoutBetween(
  ours: Trace,
  reference: Trace,
  mine: TraceRow,
  theirs: TraceRow,
  tolerance: Tolerance | null,
): Promise<Isolation | null> {
  if (!mine.hasValues || !theirs.hasValues || !tolerance) return null;
  const found = await ours.tensor(mine.name, { pass: mine.pass });
  const wanted = await reference.tensor(theirs.name, { pass: theirs.pass });
  const layout = otherLayout(found, wanted, tolerance.limit);
  return layout && otherLayoutOf(layout);
}

/** What is known of a tensor that holds the same values in another order: no op was run for it. */
function otherLayoutOf(explained: Explanation): Isolation {
  return {
    how: 'the values of both as they were recorded',
    inputs: [],
    onReference: null,
    onOurs: null,
    tolerance: { limit: explained.left, source: 'what is left once the layout is undone' },
    toF64: null,
    explained,
    outcome: 'other layout',
    madeBy: null,
  };
}
