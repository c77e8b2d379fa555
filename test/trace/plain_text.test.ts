import { describe, expect, test } from 'vitest';
import { cut, short, shownWidth, table, visible, visibleLines } from '../../src/trace/plain_text.ts';

describe('a table', () => {
  test('lines up as a terminal shows it: CJK and emoji take two columns, combining marks none', () => {
    const rows = [
      ['猫', '1'],
      ['e\u0301t', '22'],
      ['👩‍👩‍👧', '3'],
      ['❤️', '4'],
      ['Ａ', '5'],
      ['plain', '6'],
    ];
    const lines = table(rows, ['left', 'right']).split('\n');
    expect(new Set(lines.map(shownWidth))).toEqual(new Set([shownWidth('plain') + 2 + 2]));
    expect(lines[1]).toBe('e\u0301t     22');
  });
});

describe('text', () => {
  test('has nothing that a terminal obeys: escapes, C1 controls, direction marks', () => {
    expect(visible('a\u001b[31m\u009b\u202eb\u0007\n\t\\')).toBe('a\\u{1b}[31m\\u{9b}\\u{202e}b\\u{7}\\n\\t\\\\');
    expect(visible(' ▁猫🙂')).toBe(' ▁猫🙂');
  });

  test('of many lines keeps its newlines and tabs and nothing else of that kind', () => {
    expect(visibleLines('one\n\ttwo\r\u001b')).toBe('one\n\ttwo\\r\\u{1b}');
  });

  test('is cut between graphemes, never wider than asked', () => {
    expect(cut('thanked', 7)).toBe('thanked');
    expect(cut('thanked', 5)).toBe('than…');
    expect(cut('猫猫猫', 4)).toBe('猫…');
  });
});

test('a statistic has four digits, and a dash where there is no number', () => {
  expect([0, 1, 0.00123456, 1e-4, 123456, Number.NaN, null].map(short)).toEqual([
    ...['0', '1.000', '0.001235', '1.00e-4', '1.23e+5', '–', '–'],
  ]);
});
