/** The op table: every op by its name. A step names an op; nothing else decides what it computes. */
import { StepError } from '../errors.ts';
import { add } from './add.ts';
import { addBias } from './add_bias.ts';
import { entropy } from './entropy.ts';
import { kq } from './kq.ts';
import { kqv } from './kqv.ts';
import { logSumExp } from './log_sum_exp.ts';
import { mul } from './mul.ts';
import type { Op } from './op.ts';
import { probability } from './probability.ts';
import { rmsNorm } from './rms_norm.ts';
import { rope } from './rope.ts';
import { silu } from './silu.ts';
import { softMax } from './soft_max.ts';
import { take } from './take.ts';
import { topKIds } from './top_k_ids.ts';

const all: readonly Op[] = [
  rmsNorm,
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
];

export const ops: ReadonlyMap<string, Op> = new Map(all.map((op) => [op.name, op]));

/** The op of that name. Throws StepError where there is none. */
export function opNamed(name: string): Op {
  const op = ops.get(name);
  if (!op) throw new StepError(`Cannot find op ${name}; the ops are ${[...ops.keys()].join(', ')}`);
  return op;
}
