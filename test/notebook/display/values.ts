/** A small run that every test of a kind may look at, on the f64 reference, so that no test needs a device. */

import type { Run } from '../../../src/engine/run.ts';
import { openRandom } from '../../engine/models.ts';

export const TOKENS = [1, 40, 77, 105, 260];

/** A run of a random model over `TOKENS` that was not moved. */
export async function smallRun(): Promise<Run> {
  return (await openRandom('reference')).start(TOKENS);
}
