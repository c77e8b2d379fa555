/** prefill-decode: a text in one pass gives what it gives token by token, from the cache. */

import { passesOf } from '../../trace/passes.ts';
import type { Trace } from '../../trace/trace.ts';
import type { RunsCheck } from './check.ts';
import { sameTensors } from './same_tensors.ts';
import { tokensOf } from './subject.ts';

/** The last tokens, one pass each. */
const DECODED = 3;

export const prefillDecode: RunsCheck = {
  kind: 'runs',
  name: 'prefill-decode',
  title: 'Token by token gives what the whole prompt gives at once',
  proves:
    'The KV cache holds what was computed, at the right places, and positions and mask go on where the prefill ended.',
  cannot: 'A fault that both share: wrong RoPE, scale, weights and mask of the prefill pass.',
  needs: {
    tensors: ['every tensor'],
    other: 'the same tokens in several passes: a prefill of all but the last three, then one by one',
  },

  other(tokens) {
    if (tokens.length < 2) return 'one token has nothing to decode after it';
    const first = Math.max(1, tokens.length - DECODED);
    return { tokens, passes: [first, ...tokens.slice(first).map(() => 1)] };
  },

  isOther(base, other) {
    return tokensOf(base)?.join() === tokensOf(other)?.join() && passText(base) !== passText(other);
  },

  look: (base, other, findings) => sameTensors(base, other, findings),
};

function passText(trace: Trace): string {
  return passesOf(trace)
    .map(({ pos0, nTokens }) => `${pos0}+${nTokens}`)
    .join();
}
