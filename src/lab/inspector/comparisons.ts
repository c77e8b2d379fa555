/** Comparisons of a session: each is made once, and kept with both sides for whoever asks for more of it. */
import { compare } from '../../compare/compare.ts';
import type { Comparison } from '../../compare/comparison.ts';
import type { Model } from '../../engine/model.ts';
import type { Watch } from '../../platform.ts';
import { keyOf } from './experiment.ts';
import { insist } from './insist.ts';
import type { Session } from './session.ts';
import { type OpenedSide, openSide, type Sides } from './sides.ts';

export interface HeldComparison {
  readonly comparison: Comparison;
  /** Whose ops were run on identical inputs; null where both sides are files and no model is open. */
  readonly model: Model | null;
  close(): Promise<void>;
}

/** Throws what `openSide` and `compare` throw. */
export async function comparisonOf(session: Session, sides: Sides, watch: Watch = {}): Promise<HeldComparison> {
  const isTrace = (await session.kind(sides.experiment.file)) === 'trace';
  const make = () => compared(session, sides, isTrace, watch);
  return insist(session.comparisons, keyOf(sides), make, watch);
}

async function compared(session: Session, sides: Sides, isTrace: boolean, watch: Watch): Promise<HeldComparison> {
  const { experiment, allow = [] } = sides;
  const model = isTrace ? null : await session.model(experiment);
  // A comparison tells weights by it.
  await model?.sha256(watch);
  const opened: OpenedSide[] = [];
  const close = async () => {
    for (const side of opened) await side.close();
  };
  try {
    for (const side of [sides.ours, sides.reference]) opened.push(await openSide(session, side, sides, watch));
    const [ours, reference] = opened as [OpenedSide, OpenedSide];
    const comparison = await compare(ours.comparable, reference.comparable, {
      ...watch,
      allow,
      ...(model ? { model } : {}),
      labels: {
        ...(ours.label === null ? {} : { ours: ours.label }),
        ...(reference.label === null ? {} : { reference: reference.label }),
      },
      // Whoever hunts is not told.
      cause: experiment.hunt === undefined,
    });
    return { comparison, model, close };
  } catch (error) {
    await close();
    throw error;
  }
}
