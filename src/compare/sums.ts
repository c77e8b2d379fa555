/**
 * Tensors of which a side knows no values: a table of sums, a trace that kept statistics. Little can be said of such: a
 * sum hides what cancels, and an RMS stays as it was under any fault that turns vectors. What differs by more than rounding
 * moves it is beyond; what agrees proves little.
 */
import type { Statistics } from '../trace/statistics.ts';
import type { TraceRow } from '../trace/trace.ts';
import type { Tolerance } from './comparison.ts';

/** Standard deviations of a random walk that a sum of rounding errors may be off by; once in 500 million it is more. */
const DEVIATIONS = 6;

/** What a sum may be off by, of itself, where nothing else is known: a table of f16 sums moves by this much. */
const BARE_SUM = 0.01;

/**
 * Whether what both know of a tensor can be the same tensor within `limit` of relative RMS error. Errors of that size add
 * up like a random walk, so a sum over n elements moves by limit · RMS · √n. Null where they know nothing in common.
 */
export function judgeStatistics(
  ours: TraceRow,
  reference: TraceRow,
  { limit }: Tolerance,
): 'equal' | 'within' | 'beyond' | null {
  const [a, b] = [ours.statistics, reference.statistics];
  const both = (field: keyof Statistics) => knows(ours, field) && knows(reference, field);
  if (both('hash64') && a.n === b.n && a.hash64 === b.hash64) return 'equal';
  return spread(ours, reference, limit, both);
}

function spread(
  ours: TraceRow,
  reference: TraceRow,
  limit: number,
  both: (field: keyof Statistics) => boolean,
): 'within' | 'beyond' | null {
  const [a, b] = [ours.statistics, reference.statistics];
  const checks: boolean[] = [];
  if (both('nanCount')) checks.push(a.nanCount === b.nanCount && a.infCount === b.infCount);
  if (both('rms')) checks.push(Math.abs(a.rms - b.rms) <= limit * b.rms);
  if (both('sum')) checks.push(sumsAgree(ours, reference, limit));
  if (checks.length === 0) return null;
  return checks.every((agrees) => agrees) ? 'within' : 'beyond';
}

function sumsAgree(ours: TraceRow, reference: TraceRow, limit: number): boolean {
  const [a, b] = [ours.statistics.sum, reference.statistics.sum];
  if (!Number.isFinite(a) || !Number.isFinite(b)) return Object.is(a, b);
  const resolution = (ours.partly?.sumResolution ?? 0) + (reference.partly?.sumResolution ?? 0);
  const known = [reference, ours].find((row) => knows(row, 'rms') && row.statistics.n > 0);
  const noise = known ? sumAllows(known.statistics.rms * Math.sqrt(known.statistics.n), limit) : BARE_SUM * Math.abs(b);
  return Math.abs(a - b) <= resolution + noise;
}

/** What errors of a relative RMS `limit` may move a sum by; `size` is RMS · √n. */
export function sumAllows(size: number, limit: number): number {
  return DEVIATIONS * limit * size;
}

function knows({ partly }: TraceRow, field: keyof Statistics): boolean {
  return partly === undefined || partly.known.includes(field);
}
