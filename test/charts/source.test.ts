import { describe, expect, test } from 'vitest';
import { textOf, tokenRows } from '../../src/charts/source.ts';
import { traceWith } from './specs.ts';

const embd = (tokens: number) => ({ name: 'embd', shape: [tokens, 1], data: new Float32Array(tokens) });

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
