/**
 * Both sides against our own run in f64: where ours and the reference are apart, which of the two is nearer to exact
 * arithmetic. Rounding puts both at about the same distance; an error puts one of them far off.
 */
import type { Model } from '../engine/model.ts';
import { parametersOf } from '../gguf/reader.ts';
import type { Watch } from '../platform.ts';
import type { Trace } from '../trace/trace.ts';
import type { ToF64 } from './comparison.ts';
import { measure } from './measure.ts';
import { loadPair, type PairedRows } from './pairs.ts';

/** Products of a run, weights times tokens, up to which it is made unasked: a few seconds in TypeScript. */
const QUICK = 2.5e8;

/** Whether a run in f64 takes a few seconds and no more. */
export function isQuickInF64({ gguf }: Model, nTokens: number): boolean {
  return parametersOf(gguf) * nTokens <= QUICK;
}

/** The model without its transforms over these tokens in f64, every value kept. Throws InterruptedError where it is stopped. */
export async function f64Trace(model: Model, tokens: readonly number[], { signal, onProgress }: Watch): Promise<Trace> {
  const exact = await model.untransformed.on('reference');
  const run = exact.start(tokens, { budget: Number.POSITIVE_INFINITY });
  await run.toEnd({ signal, onProgress: onProgress && ((of) => onProgress({ ...of, task: 'running in f64' })) });
  return run.trace;
}

/** Null where the f64 run has no such tensor, or a side no values of it. */
export async function distancesToF64(
  ours: Trace,
  reference: Trace,
  exact: Trace,
  rows: PairedRows,
): Promise<ToF64 | null> {
  const exactRows = exact.entries.filter(({ name }) => name === rows.name);
  if (exactRows.length === 0) return null;
  const distance = async (trace: Trace, side: 'ours' | 'reference') => {
    const loaded = await loadPair(trace, exact, { name: rows.name, ours: rows[side], reference: exactRows });
    return loaded.pair ? measure(loaded.pair).measure.relativeRmsError : null;
  };
  const [a, b] = [await distance(ours, 'ours'), await distance(reference, 'reference')];
  return a === null || b === null ? null : { ours: a, reference: b };
}
