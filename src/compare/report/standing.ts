/**
 * How a pair of tensors stands: its status, and for one that is beyond its tolerance whether the error was made there. What
 * reports name a row by, and charts colour it by.
 */
import type { TensorComparison, Verdict } from '../comparison.ts';

/**
 * `made`, `precision`, `noise` and `other layout` are what the op alone on identical inputs gave; `inherited` is an error that came
 * in; `beyond` one of an op that was not run alone.
 */
export type Standing =
  | 'equal'
  | 'within'
  | 'inherited'
  | 'beyond'
  | 'precision'
  | 'noise'
  | 'other layout'
  | 'made'
  | 'no rule';

/** From best to worst, in the words of tables and legends. */
export const STANDINGS: Readonly<Record<Standing, string>> = {
  equal: 'equal',
  within: 'within tolerance',
  inherited: 'inherited error',
  beyond: 'beyond tolerance',
  precision: 'known rounding',
  noise: 'even noise',
  'other layout': 'other layout',
  made: 'error made here',
  'no rule': 'no rule',
};

export function standingOf({ status, isolation }: Pick<TensorComparison, 'status' | 'isolation'>): Standing {
  if (isolation && isolation.outcome !== 'inherited') return isolation.outcome;
  return status === 'beyond' && isolation ? 'inherited' : status;
}

/** A sign for each verdict, so that colour is not all that tells them apart. */
export const VERDICT_SIGNS: Readonly<Record<Verdict, string>> = {
  agree: '✓',
  noise: '≈',
  precision: '≈',
  'other layout': '⇄',
  bug: '✗',
  refused: '⊘',
};
