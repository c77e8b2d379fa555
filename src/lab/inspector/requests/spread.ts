/**
 * Where a change goes: two experiments that differ in it alone, laid beside each other bit by bit, tensor by tensor and token by
 * token, in the order of computation.
 */
import { compare } from '../../../compare/compare.ts';
import type { Difference } from '../../../compare/comparison.ts';
import type { Trace } from '../../../trace/trace.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { openSide } from '../sides.ts';

export interface SpreadParams {
  readonly experiment: Experiment;
  /** What it is held against: the same text through the same file. */
  readonly beside: Experiment;
}

export interface Spread {
  /** Pieces of the text by position. */
  readonly pieces: readonly string[];
  readonly steps: readonly SpreadStep[];
  /** The first tensor with a bit that differs; null where none has. */
  readonly first: { readonly name: string; readonly pass: number } | null;
  /** The likeliest next token of each, as text; null where the two did not run the same tokens. */
  readonly next: { readonly ours: string; readonly beside: string; readonly kl: number } | null;
  /** Where they did not run the same tokens: in what they differ. Then there are no steps. */
  readonly refused: readonly Difference[];
  /** The bits of the run beside, as `bits` gives them. */
  readonly besideBits: Readonly<Record<string, string>>;
}

export interface SpreadStep {
  readonly name: string;
  readonly pass: number;
  readonly layer: number | null;
  /** Whether any bit of it differs. */
  readonly differs: boolean;
  /** Relative RMS error against the run beside; Infinity where that is zero, NaN where numbers are no numbers. */
  readonly error: number;
  /** Position of the first token, and the same error of each; null where the tensor has no tokens. */
  readonly pos0: number;
  readonly byToken: readonly number[] | null;
}

export const spread: Request<SpreadParams, Spread> = async (session, { experiment, beside }, watch) => {
  const runOf = (of: Experiment) => {
    const sides = { experiment: of, ours: { kind: 'run' }, reference: { kind: 'run' } } as const;
    return openSide(session, sides.ours, sides, watch);
  };
  const [ours, reference] = [await runOf(experiment), await runOf(beside)];
  try {
    const {
      tensors,
      refused,
      firstDivergence,
      logits,
      reference: side,
    } = await compare(ours.comparable, reference.comparable, { ...watch, mode: 'exact', f64: false, cause: false });
    const last = logits?.at(-1);
    const { tokenizer } = await session.model(experiment);
    return {
      pieces: side.manifest.pieces ?? [],
      steps: tensors.map(({ name, pass, layer, status, measure, byToken }) => ({
        ...{ name, pass, layer, byToken },
        differs: status !== 'equal',
        error: measure === null || measure.nonFinite > 0 ? Number.NaN : measure.relativeRmsError,
        pos0: traceOf(reference.comparable).entries.find((row) => row.name === name && row.pass === pass)?.pos0 ?? 0,
      })),
      first: firstDivergence && { name: firstDivergence.name, pass: firstDivergence.pass },
      next: last ? { ours: tokenizer.piece(last.ours), beside: tokenizer.piece(last.reference), kl: last.kl } : null,
      refused,
      besideBits: bitsOf(traceOf(reference.comparable)),
    };
  } finally {
    await ours.close();
    await reference.close();
  }
};

function traceOf(comparable: Trace | { readonly trace: Trace }): Trace {
  return 'trace' in comparable ? comparable.trace : comparable;
}

/** The hash of every tensor's bits, by pass and name: `0 l_out-3`. */
export function bitsOf({ entries }: Trace): Record<string, string> {
  return Object.fromEntries(entries.map(({ pass, name, statistics }) => [`${pass} ${name}`, statistics.hash64]));
}
