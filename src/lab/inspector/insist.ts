/** Work that several wait for stops with whoever began it; who still waits then begins it anew. */
import { InterruptedError } from '../../errors.ts';
import type { Watch } from '../../platform.ts';
import type { Kept } from './kept.ts';

/** As `kept.get`, of work that `watch` can stop. */
export async function insist<T>(kept: Kept<T>, key: string, make: () => Promise<T>, { signal }: Watch): Promise<T> {
  for (;;) {
    let isMine = false;
    try {
      return await kept.get(key, () => {
        isMine = true;
        return make();
      });
    } catch (error) {
      if (isMine || signal?.aborted || !(error instanceof InterruptedError)) throw error;
    }
  }
}
