/** The table of checks, in the order in which they are reported: those of one trace along the pass, then those of two runs. */
import { causality } from './causality.ts';
import type { Check } from './check.ts';
import { contextBlind } from './context_blind.ts';
import { finite } from './finite.ts';
import { firstToken } from './first_token.ts';
import { gate } from './gate.ts';
import { headOrder } from './head_order.ts';
import { norms } from './norms.ts';
import { positionShift } from './position_shift.ts';
import { prefillDecode } from './prefill_decode.ts';
import { products } from './products.ts';
import { residual } from './residual.ts';
import { ropeAngles } from './rope_angles.ts';
import { ropeOrigin } from './rope_origin.ts';
import { ropePairs } from './rope_pairs.ts';
import { scaledScores } from './scaled_scores.ts';
import { softMaxRows } from './soft_max_rows.ts';

export const checks: readonly Check[] = [
  finite,
  products,
  norms,
  ropeOrigin,
  ropePairs,
  ropeAngles,
  scaledScores,
  softMaxRows,
  firstToken,
  gate,
  residual,
  contextBlind,
  prefillDecode,
  causality,
  positionShift,
  headOrder,
];
