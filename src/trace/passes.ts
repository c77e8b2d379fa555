/** The passes of a trace: which tokens each was over, told from its rows. */
import type { Trace } from './trace.ts';

export interface TracePass {
  /** Its number, as rows have it. */
  readonly index: number;
  /** Position of its first token. */
  readonly pos0: number;
  readonly nTokens: number;
}

/** In order. A pass has as many tokens as the row of it that has most: the last tensors may keep fewer. */
export function passesOf({ entries }: Pick<Trace, 'entries'>): TracePass[] {
  const passes = new Map<number, TracePass>();
  for (const { pass: index, pos0, shape, dims } of entries) {
    const tokens = shape[dims.indexOf('token')] ?? 0;
    const known = passes.get(index) ?? { pos0, nTokens: 0 };
    passes.set(index, { index, pos0: Math.min(pos0, known.pos0), nTokens: Math.max(tokens, known.nTokens) });
  }
  return [...passes.values()].sort((a, b) => a.index - b.index);
}
