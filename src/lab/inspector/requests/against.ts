/** With what this lab can compare. */
import type { Request } from '../request.ts';

export interface Against {
  readonly llamaCpp: boolean;
  /** Whether dumps of other programs are read beside .arrow traces. */
  readonly dumps: boolean;
}

export const against: Request<Record<never, never>, Against> = async ({ host }) => ({
  llamaCpp: host.llamaCpp !== null,
  dumps: host.readDump !== undefined,
});
