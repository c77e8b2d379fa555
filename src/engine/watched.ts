/** Long work and who watches it: the caller, and the host where it has a watch of its own (`Platform.watch`). */
import { InterruptedError } from '../errors.ts';
import type { Platform, Watch } from '../platform.ts';

/** What can be asked whether to stop. */
export type Stop = Pick<AbortSignal, 'aborted'>;

/** A watch as work takes it: only asked, so that several signals make one. */
export interface Watched {
  readonly stop?: Stop | undefined;
  readonly onProgress?: Watch['onProgress'];
}

/** The watch of work that is called now: the caller's, with the host's signal beside it and its sink where there is none. */
export function watchedBy(
  platform: Platform,
  { signal, onProgress }: { signal?: Stop | undefined } & Pick<Watch, 'onProgress'>,
): Watched {
  const host = platform.watch?.();
  return { stop: either(signal, host?.signal), onProgress: onProgress ?? host?.onProgress };
}

function either(one: Stop | undefined, other: Stop | undefined): Stop | undefined {
  if (!one || !other) return one ?? other;
  return {
    get aborted() {
      return one.aborted || other.aborted;
    },
  };
}

/** Throws InterruptedError once the work is to stop. `action` is what cannot be done: `write x.arrow`. */
export function mustGoOn(stop: Stop | undefined, action: string, next: string): void {
  if (stop?.aborted) throw new InterruptedError(`Cannot ${action}: interrupted; ${next}`);
}
