/** A pair of tensors of a comparison, every value of both sides. */
import type { Pair } from '../../../compare/measure.ts';
import { loadPair, pairRows } from '../../../compare/pairs.ts';
import { TraceError } from '../../../errors.ts';
import type { Watch } from '../../../platform.ts';
import type { Trace } from '../../../trace/trace.ts';
import { comparisonOf } from '../comparisons.ts';
import type { Request } from '../request.ts';
import type { Session } from '../session.ts';
import type { Sides } from '../sides.ts';

export interface PairParams {
  readonly sides: Sides;
  readonly name: string;
  /** Of ours. */
  readonly pass: number;
}

/** Row-major; where only some elements are known on both sides, those alone, and the shape is their number. */
export type PairView = Pick<Pair, 'ours' | 'reference' | 'shape' | 'dims'>;

export const pair: Request<PairParams, PairView> = async (session, params, watch) => {
  const { ours, reference, shape, dims, offsets } = await pairOf(session, params, watch);
  return offsets
    ? { ours, reference, shape: [ours.length], dims: ['known element'] }
    : { ours, reference, shape, dims };
};

/** Throws TraceError where the comparison has no such pair, or only statistics of it. */
export async function pairOf(session: Session, { sides, name, pass }: PairParams, watch: Watch): Promise<Pair> {
  const { comparison } = await comparisonOf(session, sides, watch);
  const { compared } = comparison;
  const of = (side: 'ours' | 'reference'): Trace | undefined => {
    const comparable = compared?.[side];
    return comparable && ('trace' in comparable ? comparable.trace : comparable);
  };
  const [ours, reference] = [of('ours'), of('reference')];
  const entries = (trace: Trace | undefined) => trace?.entries.filter((row) => row.name === name) ?? [];
  const rows = pairRows(entries(ours), entries(reference)).paired.find((each) => each.ours[0]?.pass === pass);
  if (!ours || !reference || !rows) {
    throw new TraceError(
      `Cannot draw ${name} of pass ${pass}: this comparison has no such pair; choose another tensor`,
      { tensor: name },
    );
  }
  const loaded = await loadPair(ours, reference, rows);
  if (loaded.pair === null) throw new TraceError(`Cannot draw ${name}: ${loaded.why}`, { tensor: name });
  return loaded.pair;
}
