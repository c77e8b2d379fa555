/** Opens a trace: what the page shows of it. Its rows are what `move` tells. */
import { ops } from '../../../ops/index.ts';
import { passesOf, type TracePass } from '../../../trace/passes.ts';
import type { Manifest, TraceRow } from '../../../trace/trace.ts';
import type { Request } from '../request.ts';
import type { StepCard } from './open.ts';

export interface OpenedTrace {
  readonly file: string;
  /** What the file tells of its run: producer, prompt, backend, transforms. */
  readonly manifest: Manifest;
  /** One for each name, in order of computation; a trace does not tell what a step read, nor its params. */
  readonly steps: readonly StepCard[];
  readonly passes: readonly TracePass[];
}

export const openTrace: Request<{ readonly file: string }, OpenedTrace> = async (session, { file }) => {
  const trace = await session.trace(file);
  const first = new Map<string, TraceRow>();
  for (const row of trace.entries) if (!first.has(row.name)) first.set(row.name, row);
  return { file, manifest: trace.manifest, steps: [...first.values()].map(rowCard), passes: passesOf(trace) };
};

/** What a row tells of its step. */
export function rowCard({ name, layer, op, dims, hook, hf }: TraceRow): StepCard {
  return { name, layer, op, formula: ops[op]?.formula ?? '', inputs: {}, params: {}, dims, hook, hf };
}
