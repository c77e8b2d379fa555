import { expect, test } from 'vitest';
import {
  gathered,
  halvesAsNeighbours,
  offsetInOurs,
  rowMajor,
  type View,
  wholeView,
} from '../../../src/trace/dumps/view.ts';
import { seeded } from '../../seeded.ts';

test('a view of a padded cube leaves the padding out', () => {
  const data = Float32Array.from({ length: 2 * 2 * 4 }, (_, i) => i);
  const view = { shape: [2, 2, 3], strides: rowMajor([2, 2, 4]) };
  expect([...gathered(data, view, 'kq')]).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]);
  expect([4, 7, 14].map((offset) => offsetInOurs(offset, view))).toEqual([3, null, 11]);
});

test('heads in halves become heads of neighbours', () => {
  const view = { ...wholeView([1, 2, 4]), lastAxis: halvesAsNeighbours(4) };
  const data = Float32Array.from([0, 1, 2, 3, 10, 11, 12, 13]);
  expect([...gathered(data, view, 'Qcur')]).toEqual([0, 2, 1, 3, 10, 12, 11, 13]);
});

test('where nothing lies elsewhere the numbers themselves are given', () => {
  const data = new Float32Array(6);
  expect(gathered(data, wholeView([2, 3]), 'x')).toBe(data);
  expect(() => gathered(data, wholeView([2, 4]), 'x')).toThrow('Cannot read x: it has 6 numbers; wanted at least 8');
});

test('a number is found in ours where it was gathered to, in 200 random views', () => {
  const random = seeded(4);
  const below = (n: number) => 1 + Math.floor(random() * n);
  for (let i = 0; i < 200; i++) {
    const theirs = [below(4), below(4), 2 * below(4)];
    const shape = theirs.map((size, axis) => (axis === 2 ? size : below(size)));
    const order = i % 3 === 0 ? [1, 0, 2] : [0, 1, 2];
    const strides = rowMajor(theirs);
    const view: View = {
      shape: order.map((axis) => shape[axis]!),
      strides: order.map((axis) => strides[axis]!),
      ...(i % 2 === 0 ? { lastAxis: halvesAsNeighbours(theirs[2]!) } : {}),
    };
    const data = Float32Array.from({ length: theirs.reduce((a, b) => a * b) }, (_, offset) => offset);
    const ours = gathered(data, view, 'x');
    for (const offset of data) {
      const at = offsetInOurs(offset, view);
      expect(at === null ? !ours.includes(offset) : ours[at] === offset).toBe(true);
    }
  }
});
