import { expect, test } from 'vitest';
import type { Pair } from '../../../src/compare/measure.ts';
import { heatmapOf, NOTHING } from '../../../src/lab/inspector/requests/heatmap.ts';

const pairOf = (shape: number[], dims: string[], pos0 = 0): Pair => {
  const size = shape.reduce((a, b) => a * b, 1);
  const ours = Float32Array.from({ length: size }, (_, i) => i);
  return { ours, reference: ours.slice(), shape, dims, pos0, offsets: null };
};

test('a small tensor is drawn element by element', () => {
  const { rows, columns, block, height, width, ours } = heatmapOf(pairOf([2, 3], ['token', 'embd'], 5));
  expect([rows, columns]).toEqual([
    { what: 'token', count: 2, first: 5 },
    { what: 'embd', count: 3 },
  ]);
  expect([block, height, width, [...ours]]).toEqual([{ rows: 1, columns: 1 }, 2, 3, [0, 1, 2, 3, 4, 5]]);
});

test('a large one comes in blocks, and the one element that differs is in none of them lost', () => {
  const pair = pairOf([500, 3000], ['token', 'vocab']);
  const [row, column] = [437, 2222];
  pair.ours[row * 3000 + column] = -1;
  const { block, height, width, ours, reference, atRow, atColumn } = heatmapOf(pair);
  expect([height <= 64, width <= 192]).toEqual([true, true]);
  const at = Math.floor(row / block.rows) * width + Math.floor(column / block.columns);
  expect([ours[at], reference[at], atRow[at], atColumn[at]]).toEqual([-1, row * 3000 + column, row, column]);
  expect(ours.filter((x, i) => x !== reference[i])).toHaveLength(1);
});

test('of a tensor with heads one is drawn, or all side by side', () => {
  const pair = pairOf([2, 3, 4], ['token', 'head', 'dim']);
  expect([...heatmapOf(pair, 1).ours]).toEqual([4, 5, 6, 7, 16, 17, 18, 19]);
  const all = heatmapOf(pair);
  expect([all.head, all.width, all.columns.what]).toEqual([null, 12, 'head × dim']);
  expect(() => heatmapOf(pair, 3)).toThrow(/^Cannot draw head 3: the tensor has 3 heads/);
});

test('attention has the keys across, and what a token does not see is nothing', () => {
  const { ours, atRow, head } = heatmapOf(pairOf([2, 2, 4], ['head', 'token', 'key'], 2), 1);
  expect(head).toBe(1);
  expect([...ours]).toEqual([8, 9, 10, Number.NaN, 12, 13, 14, 15]);
  expect([...atRow].map((at) => at === NOTHING)).toEqual([false, false, false, true, false, false, false, false]);
});

test('an element that is no number on one side differs more than any other', () => {
  const pair = pairOf([1, 400], ['token', 'embd']);
  pair.ours[1] = 1e30;
  pair.ours[2] = Number.NaN;
  const { ours, atColumn } = heatmapOf(pair);
  expect([ours[0], atColumn[0]]).toEqual([Number.NaN, 2]);
});

test('of a log, what was not printed is nothing', () => {
  const pair = { ...pairOf([2, 3], ['token', 'embd']), offsets: Uint32Array.of(0, 5) };
  const { atRow, ours } = heatmapOf({ ...pair, ours: Float32Array.of(7, 8), reference: Float32Array.of(7, 9) });
  expect([...atRow].map((at) => at === NOTHING)).toEqual([false, true, true, true, true, false]);
  expect([ours[0], ours[5]]).toEqual([7, 8]);
});
