import { expect, it } from 'vitest';
import { passesOf } from '../../src/trace/passes.ts';
import type { TraceRow } from '../../src/trace/trace.ts';

const row = (pass: number, pos0: number, shape: number[], dims: string[]) =>
  ({ pass, pos0, shape, dims }) as Partial<TraceRow> as TraceRow;

it('a pass has the tokens of its fullest tensor, wherever the axis stands, and passes come in order', () => {
  const entries = [
    row(1, 8, [2, 1, 9], ['head', 'token', 'key']),
    row(0, 0, [1, 64], ['one', 'embd']),
    row(0, 0, [8, 4], ['token', 'embd']),
    row(0, 0, [1, 300], ['token', 'vocab']),
  ];
  expect(passesOf({ entries })).toEqual([
    { index: 0, pos0: 0, nTokens: 8 },
    { index: 1, pos0: 8, nTokens: 1 },
  ]);
  expect(passesOf({ entries: [] })).toEqual([]);
  expect(passesOf({ entries: [row(0, 0, [64], ['axis0'])] })).toEqual([{ index: 0, pos0: 0, nTokens: 0 }]);
});
