import { expect, test } from 'vitest';
import { rectangles } from '../../../src/engine/webgpu/texels.ts';

/** The texels of a run, as the rectangles cover them, with the byte that each gets. */
function covered(offset: number, bytes: number): { texel: number; at: number }[] {
  return rectangles(offset, bytes).flatMap(({ origin: [x, y], size: [width, height], at }) =>
    Array.from({ length: width * height }, (_, i) => ({
      texel: (y + Math.floor(i / width)) * 1024 + x + (i % width),
      at: at + Math.floor(i / width) * 1024 * 16 + (i % width) * 16,
    })),
  );
}

test.each([
  [0, 1],
  [0, 1024],
  [5, 8187],
  [5, 8188],
  [8191, 2],
  [3, 3 * 1024],
  [1024, 2 * 1024 + 7],
])('rectangles from texel %i cover %i texels once each, in order', (first, count) => {
  const wanted = Array.from({ length: count }, (_, i) => ({ texel: first + i, at: 16 * i }));
  expect(covered(16 * first, 16 * count)).toEqual(wanted);
});

test('rectangles are at most three', () => {
  expect(rectangles(16 * 100, 16 * (20 * 1024))).toHaveLength(3);
});
