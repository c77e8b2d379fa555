import { describe, expect, test } from 'vitest';
import { type Axes, layoutNamed, layoutsBetween, otherLayout } from '../../src/compare/layouts.ts';
import { Tensor } from '../../src/trace/tensor.ts';
import { normals, seeded } from '../seeded.ts';

const HEADS = ['token', 'head', 'dim'];
const SCORES = ['head', 'token', 'key'];

/** 0, 1, 2, … so that a value is its own place in ours. */
const counted = (shape: number[], dims: string[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return new Tensor({ name: 'x', shape, dims, data: Float32Array.from({ length: size }, (_, i) => i) });
};
const ours = counted([2, 2, 4], HEADS);

describe('a layout by its name brings theirs into our order', () => {
  test.for<[name: string, ours: Tensor, shape: number[], theirs: number[], wanted?: number[]]>([
    ['as ours', ours, [2, 2, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]],
    ['heads flattened', ours, [2, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]],
    ['sizes written innermost first', counted([2, 3], ['token', 'embd']), [3, 2], [0, 1, 2, 3, 4, 5]],
    ['head-major', ours, [2, 2, 4], [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]],
    ['heads reversed', ours, [2, 2, 4], [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]],
    ['RoPE pairs as halves', ours, [2, 2, 4], [0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15]],
    ['RoPE pairs as neighbours', counted([1, 1, 6], HEADS), [1, 1, 6], [0, 3, 1, 4, 2, 5]],
    ['RoPE pairs as halves', counted([1, 1, 6], HEADS), [1, 1, 6], [0, 2, 4, 1, 3, 5]],
    ['transposed', counted([2, 3], ['token', 'embd']), [3, 2], [0, 3, 1, 4, 2, 5]],
    ['axes reversed', ours, [4, 2, 2], [0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15]],
    ['head-major, transposed', ours, [2, 4, 2], [0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15]],
    ['key and token swapped', counted([1, 2, 3], SCORES), [1, 3, 2], [0, 3, 1, 4, 2, 5]],
    ['token-major', counted([2, 2, 2], SCORES), [2, 2, 2], [0, 1, 4, 5, 2, 3, 6, 7]],
    ['keys padded', counted([1, 2, 2], SCORES), [1, 2, 4], [0, 1, -9, -9, 2, 3, -9, -9]],
    ['each K/V head repeated', counted([1, 2, 2], HEADS), [1, 4, 2], [0, 1, 0, 1, 2, 3, 2, 3]],
    ['K/V heads tiled', counted([1, 2, 2], HEADS), [1, 4, 2], [0, 1, 2, 3, 0, 1, 2, 3]],
    ['last token only', counted([3, 2], ['token', 'embd']), [1, 2], [4, 5], [4, 5]],
    ['last token only, flat', counted([3, 2], ['token', 'embd']), [2], [4, 5], [4, 5]],
    ['axes of 1 elsewhere', counted([1, 2, 2], HEADS), [2, 1, 2], [0, 1, 2, 3]],
    ['head-major, batch axis of 1', ours, [1, 2, 2, 4], [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]],
    [
      'RoPE pairs as halves, head-major, batch axis of 1',
      ours,
      [1, 2, 2, 4],
      [0, 2, 1, 3, 8, 10, 9, 11, 4, 6, 5, 7, 12, 14, 13, 15],
    ],
    ['scaled by 1/√4', counted([1, 2, 2], SCORES), [1, 2, 2], [0, 0.5, 1, 1.5]],
    [
      'key and token swapped, scaled by 1/√4, masked with -inf',
      counted([1, 2, 2], SCORES),
      [1, 2, 2],
      [0, 1, 0.5, 1.5],
    ],
  ])('%s', ([name, our, shape, theirs, wanted = [...our.data]]) => {
    const layout = layoutNamed(name, shape, our);
    expect([...layout.toOurs(Float32Array.from(theirs))]).toEqual(wanted);
    expect(layout.name).toBe(name);
    // Both directions of the walk agree.
    for (let i = 0; i < wanted.length; i++) expect(layout.ourOffset(layout.theirOffset(i))).toBe(i);
  });

  test.each([
    ['head-major, batch axis of 1', [1, 2, 1, 4]],
    ['last token only', [1, 2, 4]],
    ['as ours', [1, 2, 4]],
  ])('%s holds for a pass of one token too, where several names are one', (name, shape) => {
    const one = { shape: [1, 2, 4], dims: HEADS };
    const layout = layoutNamed(name, shape, one);
    expect(layout.name).toBe(name);
    expect(layout.toOurs(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  });

  test('an unknown name, and one that does not lead there, are refused with those that do', () => {
    expect(() => layoutNamed('upside down', [2, 2, 4], ours)).toThrow(
      /^Cannot bring a tensor \[2,2,4\] into our shape \[2,2,4\]: found the layout "upside down"; wanted such as: as ours; head-major; RoPE pairs as halves; heads reversed; /,
    );
    expect(() => layoutNamed('as ours', [3, 5], ours)).toThrow(/wanted another tensor of ours$/);
  });
});

test('of the layouts between two shapes no two place the numbers alike, and the simplest comes first', () => {
  const cases: [number[], Axes][] = [
    [[2, 2, 4], ours],
    [[1, 3, 2, 8], { shape: [3, 1, 8], dims: HEADS }],
    [[5, 5], { shape: [5, 5], dims: ['token', 'embd'] }],
    [[4, 6, 6], { shape: [4, 6, 6], dims: SCORES }],
    [[1], { shape: [1, 1], dims: ['token', 'embd'] }],
  ];
  for (const [theirs, axes] of cases) {
    const size = theirs.reduce((a, b) => a * b, 1);
    const layouts = layoutsBetween(theirs, axes);
    const walks = layouts.map(
      (layout) => `${layout.lastTokenOnly} ${Array.from({ length: size }, (_, i) => layout.ourOffset(i))}`,
    );
    expect(new Set(walks).size).toBe(walks.length);
    const lengths = layouts.map(({ name }) => (name === 'as ours' ? 0 : name.split(', ').length));
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
  }
  expect(layoutsBetween([2, 2, 4], ours)[0]!.name).toBe('as ours');
  expect(layoutsBetween([2, 2, 5], ours)).toEqual([]);
});

describe('otherLayout', () => {
  const random = seeded(3);
  const x = new Tensor({ name: 'x', shape: [5, 4, 6], dims: HEADS, data: normals(random, 120) });
  const under = (name: string, shape: number[]) => {
    const layout = layoutNamed(name, shape, x);
    return { shape, data: Float32Array.from({ length: 120 }, (_, i) => x.data[layout.ourOffset(i)]!) };
  };

  test.for<[name: string, shape: number[]]>([
    ['heads reversed', [5, 4, 6]],
    ['RoPE pairs as halves', [5, 4, 6]],
    ['head-major', [4, 5, 6]],
    ['RoPE pairs as halves, head-major, batch axis of 1', [1, 4, 5, 6]],
    ['axes reversed', [6, 4, 5]],
  ])('names %s, exactly and through noise of the allowed size', ([name, shape]) => {
    const theirs = under(name, shape);
    expect(otherLayout(theirs, x, 1e-6)).toEqual({ name, left: 0 });
    const noisy = theirs.data.map((value, i) => value * (1 + 1e-3 * Math.sin(i)));
    const found = otherLayout({ shape, data: noisy }, x, 1e-2);
    expect(found?.name).toBe(name);
    expect(found?.left).toBeGreaterThan(1e-4);
    expect(otherLayout({ shape, data: noisy }, x, 1e-4)).toBeNull();
  });

  test('is never the layout in which they are: equal values, another way to write the shape, within the limit', () => {
    expect(otherLayout(x, x, 1e-6)).toBeNull();
    expect(otherLayout({ shape: [1, 5, 24], data: x.data }, x, 1e-6)).toBeNull();
    expect(otherLayout({ shape: [5, 4, 6], data: x.data.map((value) => value * 1.0001) }, x, 1e-3)).toBeNull();
  });

  test('is none of other numbers, of scaled ones, of one that is not finite, of a head that is doubled', () => {
    const none = (data: Float32Array, shape = [5, 4, 6]) => expect(otherLayout({ shape, data }, x, 1e-2)).toBeNull();
    none(normals(seeded(4), 120));
    none(under('heads reversed', [5, 4, 6]).data.map((value) => 1.1 * value));
    none(under('heads reversed', [5, 4, 6]).data.with(7, Number.NaN));
    none(Float32Array.from(x.data, (value, i) => (i % 24 < 6 ? x.data[i + 6]! : value)));
  });

  test('copies of a head must all be the same', () => {
    const k = new Tensor({ name: 'k', shape: [3, 2, 4], dims: HEADS, data: normals(random, 24) });
    const layout = layoutNamed('each K/V head repeated', [3, 4, 4], k);
    const data = Float32Array.from({ length: 48 }, (_, i) => k.data[layout.ourOffset(i)]!);
    expect(otherLayout({ shape: [3, 4, 4], data }, k, 1e-6)).toEqual({ name: 'each K/V head repeated', left: 0 });
    expect(otherLayout({ shape: [3, 4, 4], data: data.with(47, 9) }, k, 1e-6)).toBeNull();
  });

  test('says so where numbers fit under several: a constant, two heads that are alike', () => {
    const constant = new Tensor({ name: 'c', shape: [2, 3, 4], dims: HEADS, data: new Float32Array(24).fill(2) });
    expect(otherLayout(constant, constant, 1e-6)).toBeNull();
    // Each head is the same two numbers in turn: as halves or with its heads exchanged, it is ours.
    const pairs = new Tensor({
      name: 'p',
      shape: [1, 2, 4],
      dims: HEADS,
      data: Float32Array.of(1, 1, 2, 2, 1, 2, 1, 2),
    });
    const found = otherLayout({ shape: [1, 2, 4], data: Float32Array.of(1, 2, 1, 2, 1, 1, 2, 2) }, pairs, 1e-6);
    expect(found?.name).toBe('RoPE pairs as halves or heads reversed (these numbers fit each)');
  });

  test('NaN and infinity are equal to themselves alone', () => {
    const data = x.data.with(3, Number.NaN).with(50, Number.NEGATIVE_INFINITY);
    const holed = new Tensor({ name: 'h', shape: [5, 4, 6], dims: HEADS, data });
    const layout = layoutNamed('heads reversed', [5, 4, 6], holed);
    const theirs = Float32Array.from({ length: 120 }, (_, i) => data[layout.ourOffset(i)]!);
    expect(otherLayout({ shape: [5, 4, 6], data: theirs }, holed, 1e-6)?.name).toBe('heads reversed');
    const other = theirs.map((value) => (value === Number.NEGATIVE_INFINITY ? Number.POSITIVE_INFINITY : value));
    expect(otherLayout({ shape: [5, 4, 6], data: other }, holed, 1e-6)).toBeNull();
  });
});
