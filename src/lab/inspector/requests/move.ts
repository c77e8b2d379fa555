/** Moves an experiment's run, or only looks where it is. */
import type { Run } from '../../../engine/run.ts';
import type { Statistics } from '../../../trace/statistics.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';

/** `after` runs on until that tensor is there, or goes back to just after it. `draw` draws tokens, the likeliest each. */
export type Move =
  | { readonly to: 'here' | 'step' | 'end' }
  | { readonly after: string }
  | { readonly layer: number }
  | { readonly draw: number };

export interface RunState {
  /** The prompt's tokens and those that were drawn. */
  readonly tokens: readonly { readonly id: number; readonly piece: string }[];
  /** The last step that was run, or null before the first. */
  readonly at: string | null;
  /** The step that a move of one would run; null at the end. */
  readonly next: string | null;
  /** How many passes there are; the last is the one under way. */
  readonly passes: number;
  readonly rows: readonly RowCard[];
}

/** What was computed, without its values. */
export interface RowCard {
  readonly name: string;
  readonly pass: number;
  readonly pos0: number;
  readonly shape: readonly number[];
  readonly statistics: Statistics;
  readonly hasValues: boolean;
}

export const move: Request<{ readonly experiment: Experiment; readonly move: Move }, RunState> = async (
  session,
  { experiment, move },
  watch,
) => {
  const run = await session.run(experiment);
  if ('after' in move) {
    const isThere = run.trace.entries.some(({ name, pass }) => name === move.after && pass === run.pass?.index);
    await (isThere ? run.back(move.after) : run.to(move.after, watch));
  } else if ('layer' in move) await run.layer(move.layer, watch);
  else if ('draw' in move) await run.generate(move.draw, watch);
  else if (move.to === 'step') await run.step(watch);
  else if (move.to === 'end') await run.toEnd(watch);
  return stateOf(run);
};

function stateOf(run: Run): RunState {
  const { tokens, pieces, next, trace } = run;
  return {
    tokens: tokens.map((id, i) => ({ id, piece: pieces[i] ?? '' })),
    at: trace.entries.at(-1)?.name ?? null,
    next: next?.name ?? null,
    passes: (trace.entries.at(-1)?.pass ?? -1) + 1,
    rows: trace.entries.map(({ name, pass, pos0, shape, statistics, hasValues }) => ({
      name,
      pass,
      pos0,
      shape,
      statistics,
      hasValues,
    })),
  };
}
