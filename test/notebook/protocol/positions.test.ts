/** Positions: code points to UTF-16 units and back. */
import { expect, test } from 'vitest';
import { codePoints, utf16Offset } from '../../../src/notebook/protocol/positions.ts';

const text = 'a🧠é𝒳日';

test('each code point has the offset of its first unit', () => {
  expect([0, 1, 2, 3, 4, 5].map((position) => utf16Offset(text, position))).toEqual([0, 1, 3, 4, 6, 7]);
});

test('and back', () => {
  for (let position = 0; position <= 5; position++)
    expect(codePoints(text, utf16Offset(text, position))).toBe(position);
});

test('what lies outside is the nearest end', () => {
  expect([utf16Offset(text, 99), utf16Offset(text, -1), utf16Offset('', 3)]).toEqual([text.length, 0, 0]);
});

test('an offset inside a pair counts the pair', () => {
  expect(codePoints(text, 2)).toBe(2);
});
