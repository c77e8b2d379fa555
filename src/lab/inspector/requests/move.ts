/** Moves an experiment's run, or only looks where it is. */
import type { Run } from '../../../engine/run.ts';
import { InterruptedError, UsageError } from '../../../errors.ts';
import type { Watch } from '../../../platform.ts';
import type { ArrowTrace } from '../../../trace/arrow_reader.ts';
import { passesOf } from '../../../trace/passes.ts';
import type { Statistics } from '../../../trace/statistics.ts';
import { knownPieces } from '../../../trace/token_label.ts';
import type { TraceRow } from '../../../trace/trace.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';

/**
 * `after` runs on until that tensor is there, or goes back to just after it, of the pass under way unless another is named.
 * `draw` draws tokens, the likeliest each, until one ends the answer; `drawn` has so many of them drawn, all in all: those that
 * lack are drawn, whatever they end, and behind the last of more the run goes back.
 */
export type Move =
  | { readonly to: 'here' | 'step' | 'end' }
  | { readonly after: string; readonly pass?: number }
  | { readonly layer: number }
  | { readonly draw: number }
  | { readonly drawn: number };

export interface RunState {
  /** The prompt's tokens and those that were drawn. */
  readonly tokens: readonly { readonly id: number; readonly piece: string }[];
  /** How many of them were drawn. */
  readonly drawn: number;
  /** The last step that was run, or null before the first. */
  readonly at: string | null;
  /** The step that a move of one would run; null at the end. */
  readonly next: string | null;
  /** How many passes there are; the last is the one under way. */
  readonly passes: number;
  readonly rows: readonly RowCard[];
  /** Where the move was stopped before its end, a sentence; what was done until then stays. Null where it was not. */
  readonly stopped: string | null;
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
  const subject = await session.subject(experiment);
  if (!isRun(subject)) return traceState(subject, move);
  const stopped = await moved(subject, move, watch).catch((error) => {
    if (error instanceof InterruptedError) return error.message;
    throw error;
  });
  return runState(subject, stopped);
};

/** Null where it came to its end. */
async function moved(run: Run, move: Move, watch: Watch): Promise<null> {
  if ('after' in move) await movedAfter(run, move, watch);
  else if ('layer' in move) await run.layer(move.layer, watch);
  else if ('draw' in move) await run.generate(move.draw, watch);
  else if ('drawn' in move) await movedToDrawn(run, move.drawn, watch);
  else if (move.to === 'step') await run.step(watch);
  else if (move.to === 'end') await run.toEnd(watch);
  return null;
}

async function movedAfter(run: Run, { after, pass }: Extract<Move, { after: string }>, watch: Watch): Promise<void> {
  const current = run.pass?.index ?? 0;
  const isThere = run.trace.entries.some((row) => row.name === after && row.pass === (pass ?? current));
  await (isThere ? run.back(after, { pass: pass ?? current }) : run.to(after, watch));
}

async function movedToDrawn(run: Run, drawn: number, watch: Watch): Promise<void> {
  const { length } = run.sampled;
  const last = run.steps.at(-1)?.name;
  // Each pass but the first is over one drawn token.
  if (length > drawn && last !== undefined) await run.back(last, { pass: drawn });
  else await run.generate(drawn - length, { ...watch, stopAtEnd: false });
}

/** A trace is where it ended; moves within what it holds change nothing. */
function traceState(trace: ArrowTrace, move: Move): RunState {
  if ('draw' in move || ('to' in move && move.to === 'step')) {
    throw new UsageError(
      `Cannot run ${trace.source}: it is a trace, which holds what was computed and no model; open the model for that`,
      { file: trace.source },
    );
  }
  const { tokens } = trace.end ?? {};
  const ids = (Array.isArray(tokens) ? tokens : (trace.manifest.tokens ?? [])) as readonly number[];
  const pieces = knownPieces(trace.manifest);
  return {
    tokens: ids.map((id, i) => ({ id, piece: trace.manifest.pieces?.[i] ?? pieces.get(id) ?? `#${id}` })),
    drawn: Math.max(0, ids.length - (trace.manifest.tokens?.length ?? 0)),
    at: trace.entries.at(-1)?.name ?? null,
    next: null,
    passes: passesOf(trace).length,
    rows: trace.entries.map(rowCard),
    stopped: null,
  };
}

function runState({ tokens, pieces, sampled, next, trace, pass }: Run, stopped: string | null): RunState {
  return {
    tokens: tokens.map((id, i) => ({ id, piece: pieces[i] ?? '' })),
    drawn: sampled.length,
    at: trace.entries.at(-1)?.name ?? null,
    next: next?.name ?? null,
    passes: (pass?.index ?? -1) + 1,
    rows: trace.entries.map(rowCard),
    stopped,
  };
}

function rowCard({ name, pass, pos0, shape, statistics, hasValues }: TraceRow): RowCard {
  return { name, pass, pos0, shape, statistics, hasValues };
}
