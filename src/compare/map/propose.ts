/** Which of a stranger's tensors is which of ours: the evidence, then what it decides. */
import type { Watch } from '../../platform.ts';
import type { Trace } from '../../trace/trace.ts';
import { type Answers, decide } from './decide.ts';
import { evidenceOf } from './fits.ts';
import type { TensorMap } from './tensor_map.ts';

export interface ProposeOptions extends Watch {
  /** What a person said: their name → ours, or `none`. An answer teaches the dump's words, and so may settle others. */
  readonly answers?: Answers;
}

/**
 * The map of a dump to our run over the same tokens. What evidence does not decide is listed as a question, never guessed.
 * Throws UsageError where an answer does not fit, InterruptedError where `signal` says so.
 */
export async function proposeMap(
  dump: Trace,
  ours: Trace,
  { answers, ...watch }: ProposeOptions = {},
): Promise<TensorMap> {
  return decide(await evidenceOf(dump, ours, watch), answers);
}
