/**
 * position-shift: a text of which every position is moved by the same distance has the same scores, because RoPE turns
 * queries and keys so that their product depends on the distance alone (Su et al. 2021, arXiv:2104.09864); so everything
 * but the turned queries and keys stays as it was.
 */
import type { Transform } from '../../engine/transforms/transform.ts';
import { StepError } from '../../errors.ts';
import type { Step } from '../../ops/step.ts';
import type { Trace } from '../../trace/trace.ts';
import type { RunsCheck } from './check.ts';
import { sameTensors } from './same_tensors.ts';
import { tokensOf } from './subject.ts';

const SHIFT = 100;

export const positionShift: RunsCheck = {
  kind: 'runs',
  name: 'position-shift',
  title: 'Moving every position by the same distance leaves the attention patterns as they are',
  proves:
    'Queries and keys are turned alike, each by its position: RoPE on one of the two only, opposite signs, positions that are clamped, and learned positions show.',
  cannot:
    'Any rotation by multiples of the position passes: wrong pairing, base, exponent or a constant offset keep the distances.',
  needs: { tensors: ['every tensor'], other: `the same tokens with every position moved, by ${SHIFT} for instance` },

  other(tokens) {
    if (tokens.length < 2) return 'one token has no distance to another';
    return { tokens, transforms: [shiftPositions(SHIFT)] };
  },

  isOther(base, other) {
    return tokensOf(base)?.join() === tokensOf(other)?.join() && startOf(base) !== startOf(other);
  },

  look: (base, other, findings) => sameTensors(base, other, findings, { but: new Set(['Qcur_rope', 'Kcur_rope']) }),
};

/** Moves the positions that RoPE turns by. Applying it throws StepError where nothing is turned. */
function shiftPositions(by: number): Transform {
  return {
    name: 'shiftPositions',
    params: { by },
    apply(steps) {
      if (!steps.some(isRope)) throw new StepError('Cannot move the positions: the model has no step of op rope');
      return steps.map((step) =>
        isRope(step) ? { ...step, params: { ...step.params, positionOffset: offsetOf(step) + by } } : step,
      );
    },
  };
}

const isRope = ({ op }: Step): boolean => op === 'rope';

function offsetOf({ params }: Step): number {
  return typeof params.positionOffset === 'number' ? params.positionOffset : 0;
}

/** Position of a trace's first token. */
function startOf({ entries }: Trace): number | undefined {
  return entries[0]?.pos0;
}
