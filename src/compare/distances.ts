/** How far two traces are apart, tensor by tensor and without a judgement: what a change made on purpose does to the rest. */
import { selects } from '../trace/select.ts';
import type { Trace, TraceRow } from '../trace/trace.ts';
import { measure } from './measure.ts';
import { loadPair, pairRows } from './pairs.ts';

export interface Distance {
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  /** ‖ours − reference‖ / ‖reference‖; Infinity where only the reference is zero, NaN where a side alone has NaN or Inf. */
  readonly relativeRmsError: number;
}

/** In the order of execution of ours; what only one side has, or has no values of, is left out. Memory stays flat. */
export async function distancesOf(
  ours: Trace,
  reference: Trace,
  select: string | readonly string[] = 'all',
): Promise<Distance[]> {
  const picks = selects(select);
  const { paired } = pairRows(ours.entries.filter(picks), reference.entries.filter(picks));
  const distances: Distance[] = [];
  for (const rows of paired) {
    const loaded = await loadPair(ours, reference, rows);
    if (loaded.pair === null) continue;
    const { name, op, layer, pass } = rows.ours[0] as TraceRow;
    const { nonFinite, relativeRmsError } = measure(loaded.pair).measure;
    distances.push({ name, op, layer, pass, relativeRmsError: nonFinite > 0 ? Number.NaN : relativeRmsError });
  }
  return distances;
}
