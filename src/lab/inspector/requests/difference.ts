/**
 * What changes do: the experiment is run again with them, beside the one without, and the two are laid side by side. Neither
 * moves the experiment's own run.
 */
import type { Chart } from '../../../charts/chart.ts';
import * as charts from '../../../charts/index.ts';
import { type Distance, distancesOf } from '../../../compare/distances.ts';
import type { Run } from '../../../engine/run.ts';
import { change } from '../../../engine/transforms/change.ts';
import { type PatchOptions, patch } from '../../../engine/transforms/patch.ts';
import type { Transform } from '../../../engine/transforms/transform.ts';
import { UsageError } from '../../../errors.ts';
import type { Watch } from '../../../platform.ts';
import type { ChangeSpec, Experiment } from '../experiment.ts';
import { BESIDE } from '../logits_beside.ts';
import type { Request } from '../request.ts';
import { isRun, type Session } from '../session.ts';

/** Values that the same model has over another text, in place of the tensor's own, as `patch` puts them there. */
export interface ReplaceSpec extends PatchOptions {
  readonly how: 'replace';
  readonly tensor: string;
  readonly text: string;
}

/** What is tried out. An experiment can keep a change; a replacement is no part of one, for it takes a second text. */
export type TrialSpec = ChangeSpec | ReplaceSpec;

export interface DifferenceParams {
  readonly experiment: Experiment;
  /** Beyond what the experiment changes. */
  readonly changes: readonly TrialSpec[];
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
  const ours: Run[] = [];
  try {
    const after = changes.every(isChange)
      ? await session.run({ ...experiment, tokens: before.tokens, changes: [...experiment.changes, ...changes] })
      : await triedRun(before, experiment, changes, ours, watch);
    await after.toEnd(watch);
    return {
      growth: await charts.differenceGrowth(after, before),
      map: await charts.differenceMap(after, before),
      next: await charts.logitsBeside(after, before, BESIDE),
      distances: await distancesOf(after.trace, before.trace),
    };
  } finally {
    for (const run of ours) run.close();
  }
};

function isChange(trial: TrialSpec): trial is ChangeSpec {
  return trial.how !== 'replace';
}

/** A run with replacements among its changes. It and those over the other texts are added to `ours`, to be closed. */
async function triedRun(
  { model, tokens }: Run,
  { bos, chat }: Experiment,
  trials: readonly TrialSpec[],
  ours: Run[],
  watch: Watch,
): Promise<Run> {
  const started = (run: Run): Run => {
    ours.push(run);
    return run;
  };
  const transforms: Transform[] = [];
  for (const trial of trials) {
    if (isChange(trial)) {
      const { tensor, ...how } = trial;
      transforms.push(change(tensor, how));
      continue;
    }
    const { tensor, text, token, from, head } = trial;
    const other = await started(model.start(text, { bos, chat })).toEnd(watch);
    transforms.push(patch(tensor, other, { token, from, head }));
  }
  return started(model.with(...transforms).start(tokens));
}

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
