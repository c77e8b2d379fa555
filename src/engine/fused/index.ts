/**
 * Fusions: neighbouring ops that one kernel computes where nobody looks at what lies between. Each is one file here and
 * one kernel in kernels/fused; its result must agree with its parts to 1e-6 on the same inputs.
 */
import type { Op } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import { siluMul } from './silu_mul.ts';

export interface Fusion {
  /** Names of the ops in order. */
  readonly pattern: readonly string[];
  readonly op: Op;
  /** The steps as one, or null where they are not wired as the kernel assumes. */
  join(steps: readonly Step[]): Step | null;
}

export const fusions: readonly Fusion[] = [siluMul];
