/** causality: other tokens at the end of a text change nothing of what stands before them, in any tensor. */
import type { RunsCheck } from './check.ts';
import { sameTensors } from './same_tensors.ts';
import { tokensOf } from './subject.ts';

/** How far on in the vocabulary the other tokens are. */
const STEP = 7;

export const causality: RunsCheck = {
  kind: 'runs',
  name: 'causality',
  title: 'Tokens change nothing of what stands before them',
  proves:
    'The mask hides every later token, and no op mixes tokens that it should not: a mask that is off by one shows, and a matrix taken by columns.',
  cannot: 'A mask that hides too much: a token that does not see an earlier one changes nothing of it either.',
  needs: { tensors: ['every tensor'], other: 'as many tokens, the same up to the middle and others from there on' },

  other(tokens, { nVocab }) {
    if (tokens.length < 2) return 'one token has none before it';
    const kept = Math.floor(tokens.length / 2);
    return { tokens: tokens.map((token, i) => (i < kept ? token : (token + STEP) % nVocab)) };
  },

  isOther(base, other) {
    const [a, b] = [tokensOf(base), tokensOf(other)];
    const kept = a && b ? sharedTokens(a, b) : 0;
    return a?.length === b?.length && kept > 0 && kept < (a?.length ?? 0);
  },

  look: (base, other, findings) =>
    sameTensors(base, other, findings, { tokens: sharedTokens(base.tokens ?? [], other.tokens ?? []) }),
};

/** How many tokens two texts begin with in common. */
function sharedTokens(a: readonly number[], b: readonly number[]): number {
  const first = a.findIndex((token, i) => token !== b[i]);
  return first < 0 ? Math.min(a.length, b.length) : first;
}
