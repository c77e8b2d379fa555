/** The numbers behind one attention score: what `charts.qk` draws. */
import { type QkPlace, type QkTerms, qkTerms } from '../../../charts/qk_terms.ts';
import type { Experiment } from '../experiment.ts';
import type { Request } from '../request.ts';
import { isRun } from '../session.ts';

export const qk: Request<{ readonly experiment: Experiment; readonly place: QkPlace }, QkTerms> = async (
  session,
  { experiment, place },
) => {
  const subject = await session.subject(experiment);
  return qkTerms(isRun(subject) ? subject.trace : subject, place);
};
