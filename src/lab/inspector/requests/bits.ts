/** The bits of an experiment, of a run made for it alone: whoever asks twice learns whether anything has changed. */
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { openSide } from '../sides.ts';
import { bitsOf } from './spread.ts';

export const bits: Request<{ readonly experiment: Experiment }, Readonly<Record<string, string>>> = async (
  session,
  { experiment },
  watch,
) => {
  const sides = { experiment, ours: { kind: 'run' }, reference: { kind: 'run' } } as const;
  const { comparable, close } = await openSide(session, sides.ours, sides, watch);
  try {
    return bitsOf('trace' in comparable ? comparable.trace : comparable);
  } finally {
    await close();
  }
};
