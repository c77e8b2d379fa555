import { expect, it } from 'vitest';
import { mergePairs } from '../../src/tokenizer/merge.ts';
import { seeded } from '../seeded.ts';

const letters = (n: number) => Array.from({ length: n + 1 }, (_, i) => i);

/** The same by looking at every pair each time. */
function slowly(starts: readonly number[], rank: (start: number, middle: number, end: number) => number | undefined) {
  const left = [...starts];
  for (;;) {
    let best: { at: number; rank: number } | undefined;
    for (let at = 1; at + 1 < left.length; at++) {
      const of = rank(left[at - 1] as number, left[at] as number, left[at + 1] as number);
      if (of !== undefined && (best === undefined || of < best.rank)) best = { at, rank: of };
    }
    if (best === undefined) return left;
    left.splice(best.at, 1);
  }
}

it('merges the lowest rank first, the leftmost of equals', () => {
  const ranks = new Map([
    ['ab', 1],
    ['bc', 0],
    ['aa', 2],
  ]);
  const merge = (text: string) =>
    mergePairs(letters(text.length), (start, _, end) => ranks.get(text.slice(start, end)));
  expect(merge('abc')).toEqual([0, 1, 3]);
  expect(merge('aaa')).toEqual([0, 2, 3]);
  expect(merge('x')).toEqual([0, 1]);
  expect(merge('')).toEqual([0]);
});

it('gives what looking at every pair each time gives', () => {
  const random = seeded(5);
  for (let trial = 0; trial < 300; trial++) {
    const text = Array.from({ length: 40 }, () => 'ab'[Math.floor(random() * 2)]).join('');
    const ranks = new Map<string, number>();
    for (let start = 0; start < 40; start++) {
      for (let length = 2; length < 7; length++) {
        if (random() < 0.5) ranks.set(text.slice(start, start + length), Math.floor(random() * 8));
      }
    }
    const rank = (start: number, _: number, end: number) => ranks.get(text.slice(start, end));
    expect(mergePairs(letters(40), rank)).toEqual(slowly(letters(40), rank));
  }
});

it('asks for at most three ranks a symbol, however long the text', () => {
  let asked = 0;
  const n = 100_000;
  mergePairs(letters(n), (start, _, end) => {
    asked++;
    return end - start <= 64 ? end - start : undefined;
  });
  expect(asked).toBeLessThan(3 * n);
});
