import { describe, expect, it } from 'vitest';
import { TraceError } from '../../src/errors.ts';
import { Tensor } from '../../src/trace/tensor.ts';
import { normals, seeded } from '../seeded.ts';

function tensor(shape: number[], values?: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => values?.[i] ?? i);
  return new Tensor({ name: 'x', shape, data });
}

describe('tensor', () => {
  it('reads the element at its indices, negative ones from the end', () => {
    const x = tensor([2, 3, 4]);
    expect(x.at(1, 2, 3)).toBe(23);
    expect(x.at(-1, 0, -2)).toBe(14);
  });

  it('slices indices away and ranges out', () => {
    const x = tensor([2, 3, 4]);
    expect(x.slice(1, [0, 2], -1).toArray()).toEqual([15, 19]);
    expect(x.slice(null, 1).toArray()).toEqual([
      [4, 5, 6, 7],
      [16, 17, 18, 19],
    ]);
    expect(x.slice(null, [-2, 3], [3, 4]).shape).toEqual([2, 2, 1]);
    expect(x.slice(1, 1, 1).toArray()).toBe(17);
    expect(x.slice([1, 1]).shape).toEqual([0, 3, 4]);
  });

  it('keeps the names of the axes that stay', () => {
    const kq = new Tensor({
      name: 'kq-0',
      shape: [2, 3, 3],
      data: new Float32Array(18),
      dims: ['head', 'token', 'key'],
    });
    expect(kq.slice(0).dims).toEqual(['token', 'key']);
    expect(kq.mean(1).dims).toEqual(['head', 'key']);
    expect(kq.rows().map((row) => row.shape)).toEqual([
      [3, 3],
      [3, 3],
    ]);
  });

  it('does not change when what a method gave is written to', () => {
    const x = tensor([2, 2]);
    x.slice(0).data.fill(9);
    x.add(0).data.fill(9);
    x.softmax().data.fill(9);
    expect(x.toArray()).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it('has means and norms of the whole and along an axis', () => {
    const x = tensor([2, 2], [3, 4, -3, -4]);
    expect(x.mean()).toBe(0);
    expect(x.norm()).toBeCloseTo(Math.sqrt(50), 12);
    expect(x.mean(0).toArray()).toEqual([0, 0]);
    expect(x.norm(-1).toArray()).toEqual([5, 5]);
  });

  it('sums in f64: a million times 0.1 is not off by more than the last bit', () => {
    const tenth = Math.fround(0.1);
    const x = new Tensor({ name: 'x', shape: [1_000_000], data: new Float32Array(1_000_000).fill(0.1) });
    expect(Math.abs(x.mean() / tenth - 1)).toBeLessThan(1e-11);
    expect(Math.abs(x.dot(x) / (1e6 * tenth * tenth) - 1)).toBeLessThan(1e-9);
  });

  it('multiplies matrices as by hand, and stacks of them', () => {
    const a = tensor([2, 3]);
    const b = tensor([3, 2]);
    expect(a.matmul(b).toArray()).toEqual([
      [10, 13],
      [28, 40],
    ]);
    const stack = tensor([2, 2, 2]).matmul(tensor([2, 2, 2]));
    expect(stack.slice(1).toArray()).toEqual([
      [46, 55],
      [66, 79],
    ]);
    expect(tensor([2, 2, 3]).matmul(b).slice(0).toArray()).toEqual(a.matmul(b).toArray());
    expect(tensor([3]).matmul(b).toArray()).toEqual([10, 13]);
  });

  it('has softmax rows that add up to 1 and ignore a shift', () => {
    const x = new Tensor({ name: 'x', shape: [3, 5], data: normals(seeded(1), 15, 3) });
    for (const row of x.softmax().rows()) expect(row.mean() * 5).toBeCloseTo(1, 6);
    for (const column of [0, 1, 2, 3, 4]) expect(x.softmax(0).slice(null, column).mean() * 3).toBeCloseTo(1, 6);
    expect(x.add(1000).softmax().sub(x.softmax()).norm()).toBeLessThan(1e-4);
    expect(
      tensor([2], [0, Math.log(3)])
        .softmax()
        .at(1),
    ).toBeCloseTo(0.75, 6);
  });

  it('gives the top k of a vector, earlier ones first among equals, NaN last', () => {
    expect(tensor([5], [2, 7, NaN, 7, -1]).topK(3)).toEqual([
      { index: 1, value: 7 },
      { index: 3, value: 7 },
      { index: 0, value: 2 },
    ]);
    expect(tensor([2]).topK(9)).toHaveLength(2);
  });

  it('has cosine 1 with a multiple of itself, 0 with what is orthogonal', () => {
    const x = tensor([2, 2], [1, 0, 3, 4]);
    expect(x.cosine(x.scale(2.5))).toBeCloseTo(1, 12);
    expect(x.cosine(tensor([2, 2], [0, 5, -4, 3]))).toBe(0);
    expect(x.cosine(tensor([2, 2], [2, 0, -3, -4]), -1).toArray()).toEqual([1, -1]);
  });

  it('adds, subtracts and multiplies with numbers, its like, and the shape of its last axes', () => {
    const x = tensor([2, 2]);
    expect(x.add(tensor([2], [10, 20])).toArray()).toEqual([
      [10, 21],
      [12, 23],
    ]);
    expect(x.sub(x).norm()).toBe(0);
    expect(x.mul(x).at(1, 1)).toBe(9);
    expect(x.scale(-1).at(1, 1)).toBe(-3);
  });

  it('maps each value, given where it stands', () => {
    const seen: string[] = [];
    const doubled = tensor([2, 1, 3]).map((value, a, b, c) => {
      seen.push(`${a}${b}${c}`);
      return 2 * value;
    });
    expect(seen).toEqual(['000', '001', '002', '100', '101', '102']);
    expect(doubled.toArray()).toEqual([[[0, 2, 4]], [[6, 8, 10]]]);
    expect(tensor([]).map((value) => value + 1).data[0]).toBe(1);
  });

  it('shows name, axes, statistics and first values', () => {
    const x = new Tensor({
      name: 'l_out-0',
      shape: [1, 8],
      dims: ['token', 'embd'],
      data: Float32Array.of(1, 2, NaN, 4, 5, 6, 7, 8),
    });
    expect(`${x}`).toBe('l_out-0 [token 1, embd 8] rms 5.278 mean 4.714 min 1 max 8 NaN 1: 1 2 NaN 4 5 6 …');
  });

  it('says which tensor and which shapes do not fit', () => {
    const x = tensor([2, 3]);
    const cases: [() => unknown, string][] = [
      [
        () => tensor([2, 2]).matmul(tensor([3, 2])),
        'Cannot multiply x: found shapes [2,2] and [3,2] of x; wanted […, m, k] and [k, n]',
      ],
      [() => x.at(0), 'Cannot read an element of x: found 1 indices; wanted 2 for [axis0 2, axis1 3]'],
      [() => x.at(0, 3), 'Cannot index x: found 3 for axis axis1; wanted a whole number from -3 to 2'],
      [() => x.slice([1, 4]), 'Cannot slice x: found [1,4] for axis axis0; wanted [start, end] within 0 … 2'],
      [() => x.slice(0, 0, 0), 'Cannot slice x: found 3 ranges'],
      [() => x.mean(2), 'Cannot go along an axis of x: found axis 2'],
      [() => x.dot(tensor([6])), 'Cannot take the dot product of x: found shapes [2,3] and [6] of x; wanted one shape'],
      [() => x.add(tensor([2])), 'Cannot add x'],
      [() => x.topK(1), 'take one row first'],
      [() => new Tensor({ name: 'y', shape: [2, -1], data: new Float32Array(2) }), 'Cannot make tensor y'],
      [() => new Tensor({ name: 'y', shape: [3], data: new Float32Array(2) }), '3 for shape [3]'],
    ];
    for (const [act, message] of cases) {
      expect(act).toThrow(TraceError);
      expect(act).toThrow(message);
    }
  });
});
