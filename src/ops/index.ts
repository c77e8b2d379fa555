/** The op table: every op by its name. A step names an op; nothing else decides what it computes. */
import { add } from './add.ts';
import { addBias } from './add_bias.ts';
import { entropy } from './entropy.ts';
import { getRows } from './get_rows.ts';
import { kq } from './kq.ts';
import { kqv } from './kqv.ts';
import { logSumExp } from './log_sum_exp.ts';
import { logitDirection } from './logit_direction.ts';
import { mul } from './mul.ts';
import { mulMat } from './mul_mat.ts';
import { mulMatF16 } from './mul_mat_f16.ts';
import { mulMatTransposed } from './mul_mat_transposed.ts';
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
import { silu } from './silu.ts';
import { softMax } from './soft_max.ts';
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
];

/** By name, without a prototype, so that no name but an op's is found. */
export const ops: Readonly<Record<string, Op>> = Object.assign(
  Object.create(null),
  Object.fromEntries(all.map((op) => [op.name, op])),
);
