/** The op table: every op by its name. A step names an op; nothing else decides what it computes. */

import { add } from './add.ts';
import { addBias } from './add_bias.ts';
import { entropy } from './entropy.ts';
import { gelu } from './gelu.ts';
import { getRows } from './get_rows.ts';
import { headsUnmerged } from './heads_unmerged.ts';
import { kq } from './kq.ts';
import { kqv } from './kqv.ts';
import { kqvUntransposed } from './kqv_untransposed.ts';
import { layerNorm } from './layer_norm.ts';
import { logSumExp } from './log_sum_exp.ts';
import { logitDirection } from './logit_direction.ts';
import { mul } from './mul.ts';
import { mulMat } from './mul_mat.ts';
import { mulMatF16 } from './mul_mat_f16.ts';
import { mulMatTransposed } from './mul_mat_transposed.ts';
import { oneHead } from './one_head.ts';
import type { Op } from './op.ts';
import { probability } from './probability.ts';
import { rms } from './rms.ts';
import { rmsNorm } from './rms_norm.ts';
import { rope } from './rope.ts';
import { roundBf16 } from './round_bf16.ts';
import { roundF16 } from './round_f16.ts';
import { roundQ8_0 } from './round_q8_0.ts';
import { roundQ8_K } from './round_q8_k.ts';
import { rowDot } from './row_dot.ts';
import { scale } from './scale.ts';
import { shiftRows } from './shift_rows.ts';
import { sigmoid } from './sigmoid.ts';
import { silu } from './silu.ts';
import { softMax } from './soft_max.ts';
import { softMaxUnshifted } from './soft_max_unshifted.ts';
import { take } from './take.ts';
import { topKIds } from './top_k_ids.ts';

const all: readonly Op[] = [
  getRows,
  rmsNorm,
  mulMat,
  rope,
  kq,
  softMax,
  kqv,
  add,
  addBias,
  mul,
  silu,
  topKIds,
  take,
  logSumExp,
  entropy,
  probability,
  logitDirection,
  mulMatTransposed,
  rowDot,
  rms,
  mulMatF16,
  roundF16,
  roundBf16,
  roundQ8_0,
  roundQ8_K,
  gelu,
  headsUnmerged,
  kqvUntransposed,
  layerNorm,
  oneHead,
  scale,
  shiftRows,
  sigmoid,
  softMaxUnshifted,
];

/** By name, without a prototype, so that no name but an op's is found. */
export const ops: Readonly<Record<string, Op>> = Object.assign(
  Object.create(null),
  Object.fromEntries(all.map((op) => [op.name, op])),
);
