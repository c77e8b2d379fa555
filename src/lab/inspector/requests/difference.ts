/**
 * What changes do: the experiment is run again with them, beside the one without, and the two are laid side by side. Neither
 * moves the experiment's own run.
 */
import type { Chart } from '../../../charts/chart.ts';
import * as charts from '../../../charts/index.ts';
import { type Distance, distancesOf } from '../../../compare/distances.ts';
import type { Run } from '../../../engine/run.ts';
import { UsageError } from '../../../errors.ts';
import type { Watch } from '../../../platform.ts';
import type { ChangeSpec, Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun, type Session } from '../session.ts';

export interface DifferenceParams {
  readonly experiment: Experiment;
  /** Beyond those that the experiment has. */
  readonly changes: readonly ChangeSpec[];
}

export interface DifferenceDrawn {
  /** Along the run, over the tokens, and of what may come after the last one. */
  readonly growth: Chart;
  readonly map: Chart;
  readonly next: Chart;
  /** The numbers of `growth`. */
  readonly distances: readonly Distance[];
}

export const difference: Request<DifferenceParams, DifferenceDrawn> = async (
  session,
  { experiment, changes },
  watch,
) => {
  const before = await wholeRun(session, experiment, watch);
  const { tokens } = before;
  const changed = { ...experiment, tokens, changes: [...experiment.changes, ...changes] };
  const after = await (await session.run(changed)).toEnd(watch);
  const sides = { ours: 'with the change', reference: 'without the change' };
  return {
    growth: await charts.differenceGrowth(after, before),
    map: await charts.differenceMap(after, before),
    next: await charts.logitsBeside(after, before, { k: 8, sides }),
    distances: await distancesOf(after.trace, before.trace),
  };
};

/** The experiment's own run where it is at its end, else one of its own. */
async function wholeRun(session: Session, experiment: Experiment, watch: Watch): Promise<Run> {
  const subject = await session.subject(experiment);
  if (!isRun(subject)) {
    throw new UsageError(
      `Cannot change ${experiment.file}: it is a trace, which holds what was computed and no model; open the model for that`,
      { file: experiment.file },
    );
  }
  return subject.next === null ? subject : session.observed(experiment, {}, watch);
}
