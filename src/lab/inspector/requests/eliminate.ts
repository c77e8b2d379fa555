/** What a comparison leaves of all faults and why, and the run that would tell most of it apart, as token ids. */
import { type Elimination, eliminate as eliminated, type NextProbe } from '../../../compare/eliminator.ts';
import { probeTokens } from '../../../compare/probes.ts';
import type { Model } from '../../../engine/model.ts';
import { comparisonOf } from '../comparisons.ts';
import type { Request } from '../request.ts';
import type { Sides } from '../sides.ts';

export interface EliminationView extends Omit<Elimination, 'next'> {
  readonly next: (Omit<NextProbe, 'passes'> & Probed) | null;
}

interface Probed {
  /** Token ids of each pass, as `Sides` takes them; null where no model is open, whose ids they would be. */
  readonly passes: readonly (readonly number[])[] | null;
}

export const eliminate: Request<Sides, EliminationView> = async (session, sides, watch) => {
  const { comparison, model } = await comparisonOf(session, sides, watch);
  const { next, ...judged } = eliminated(comparison);
  return { ...judged, next: next && { ...next, passes: model && tokensOf(next, model) } };
};

/** Ids for a probe. A model whose context is shorter runs what fits, with the passes at the end whole. */
function tokensOf({ probe, passes }: NextProbe, model: Model): number[][] {
  const sizes = passes.map(({ nTokens }) => nTokens);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const [first = 0, ...rest] = sizes;
  const cut = [first - Math.max(0, all - model.config.nCtx), ...rest];
  const { bos } = model.tokenizer;
  const start = /BOS/.test(probe) && bos !== undefined ? [bos] : [];
  const tokens = [...start, ...probeTokens(model, all)];
  return cut.map((size, i) => {
    const from = cut.slice(0, i).reduce((sum, each) => sum + each, 0);
    return tokens.slice(from, from + size);
  });
}
