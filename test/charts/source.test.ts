import { describe, expect, test } from 'vitest';
import { shown, textOf, tokenLabel, tokenRows } from '../../src/charts/source.ts';
import { traceWith } from './specs.ts';

const embd = (tokens: number) => ({ name: 'embd', shape: [tokens, 1], data: new Float32Array(tokens) });

describe('labels of tokens', () => {
  test('a repeated token has another label at each position', () => {
    const trace = traceWith([embd(2)], { pieces: [' Tom', ' Tom'] });
    expect([0, 1].map((position) => tokenLabel(trace, position))).toEqual(['0 ␣Tom', '1 ␣Tom']);
  });

  test('without pieces a position is its own label', () => {
    expect(tokenLabel(traceWith([embd(1)]), 0)).toBe('0');
  });

  test.each([
    [' Tom', '␣Tom'],
    ['日本', '日本'],
    ['<0xE3>', '<0xE3>'],
    ['\n\t', '\\n\\t'],
    ['\u200B', '\\u{200b}'],
    ['\u202E', '\\u{202e}'],
  ])('%j is shown as %s', (piece, label) => {
    expect(shown(piece)).toBe(label);
  });
});

describe('the text of a chart', () => {
  test('puts the bytes of a character together, and leaves out what was not run', () => {
    const pieces = [' I', ' see', ' ', '<0xE6>', '<0x97>', '<0xA5>', ' and', ' more'];
    expect(textOf(traceWith([embd(7)], { pieces }))).toBe('“I see 日 and”, 7 tokens');
  });

  test('is cut where it is long', () => {
    expect(textOf(traceWith([embd(1)], { pieces: ['x'.repeat(99)] }))).toBe(`“${'x'.repeat(60)}…”, 1 token`);
  });
});

test('passes of a tensor come together by position', async () => {
  const trace = traceWith([
    { name: 'l_out-0', shape: [2, 2], data: [1, 2, 3, 4] },
    { name: 'l_out-0', shape: [1, 2], data: [5, 6], pass: 1, pos0: 2 },
  ]);
  const { pos0, tensor } = await tokenRows(trace, 'l_out-0', 'a test');
  expect(pos0).toBe(0);
  expect(tensor.toArray()).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
});
