/**
 * A tensor of a trace, and arithmetic on it: enough to ask a question in a notebook cell, not a numeric library.
 *
 * No library is used. Of those that run in a browser on typed arrays, `ndarray` is bare indexing, `@stdlib/ndarray`
 * brings twenty packages, and `numpy-ts` (8 MB, no dependencies) adds f32 numbers up in f32: 2^20 times 0.1 is off by
 * 0.25 %, where we compare at 1e-6. Here every sum is in f64 and only the result is rounded to f32.
 */
import { TraceError } from '../errors.ts';
import { statisticsOf } from './statistics.ts';

/** A part of one axis: one index (the axis goes away), `[start, end)`, or null for all. Negative counts from the end. */
export type Range = number | readonly [start: number, end: number] | null;

export interface TensorParts {
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major; kept, not copied, and never written to. */
  readonly data: Float32Array;
  /** What each axis is: `['token', 'head', 'dim']`. Axes without a name are called `axis0`, `axis1`, … */
  readonly dims?: readonly string[];
}

/** Nested arrays of numbers, as deep as the tensor has axes. */
export type Nested = number | Nested[];

/** An immutable row-major f32 tensor. Methods return new ones; all throw `TraceError` where shapes do not fit. */
export class Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dims: readonly string[];
  readonly data: Float32Array;

  constructor({ name, shape, data, dims }: TensorParts) {
    const bad = shape.find((size) => !Number.isInteger(size) || size < 0);
    if (bad !== undefined) throw failure('make tensor', name, `its shape [${shape}] holds ${bad}`, 'sizes 0, 1, 2, …');
    if (product(shape) !== data.length) {
      throw failure(
        'make tensor',
        name,
        `its data has ${data.length} numbers`,
        `${product(shape)} for shape [${shape}]`,
      );
    }
    if (dims && dims.length !== shape.length) {
      throw failure('make tensor', name, `it has ${dims.length} axis names`, `${shape.length}, one for each axis`);
    }
    this.name = name;
    this.shape = Object.freeze([...shape]);
    this.dims = Object.freeze(dims ? [...dims] : shape.map((_, axis) => `axis${axis}`));
    this.data = data;
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** One element. */
  at(...indices: number[]): number {
    if (indices.length !== this.shape.length) {
      throw failure(
        'read an element of',
        this.name,
        `${indices.length} indices`,
        `${this.shape.length} for ${this.axes()}`,
      );
    }
    let offset = 0;
    for (const [axis, index] of indices.entries()) offset = offset * this.sizeOf(axis) + this.position(axis, index);
    return this.data[offset] as number;
  }

  /** A part: `slice(2)` is row 2, `slice(null, [0, 4])` the first four of the second axis. Axes not named are whole. */
  slice(...ranges: Range[]): Tensor {
    if (ranges.length > this.shape.length) {
      throw failure('slice', this.name, `${ranges.length} ranges`, `at most ${this.shape.length} for ${this.axes()}`);
    }
    const bounds = this.shape.map((size, axis) => this.bounds(axis, ranges[axis] ?? null, size));
    const kept = bounds.flatMap((_, axis) => (typeof ranges[axis] === 'number' ? [] : [axis]));
    const data = new Float32Array(product(bounds.map(([start, end]) => end - start)));
    this.copyPart(bounds, 0, 0, data, 0);
    return this.derived(
      `slice(${ranges.map(rangeText).join(', ')})`,
      kept.map((axis) => bounds[axis]![1] - bounds[axis]![0]),
      data,
      kept.map((axis) => this.dims[axis] as string),
    );
  }

  /** The parts along the first axis: of `[token, embd]` one `[embd]` per token. */
  rows(): Tensor[] {
    if (this.shape.length === 0) throw failure('take the rows of', this.name, 'a single number', 'at least one axis');
    return Array.from({ length: this.sizeOf(0) }, (_, row) => this.slice(row));
  }

  mean(): number;
  mean(axis: number): Tensor;
  mean(axis?: number): number | Tensor {
    return this.reduce('mean', axis, (values) => sumOf(values) / values.length);
  }

  /** The L2 norm. */
  norm(): number;
  norm(axis: number): Tensor;
  norm(axis?: number): number | Tensor {
    return this.reduce('norm', axis, (values) => Math.sqrt(dotOf(values, values)));
  }

  /** Σ a·b over all elements of two tensors of one shape. */
  dot(other: Tensor): number {
    this.mustMatch(other, 'take the dot product of');
    return dotOf(this.data, other.data);
  }

  /** Cosine of the angle between two tensors of one shape, as vectors; along `axis` one for each of the others. */
  cosine(other: Tensor): number;
  cosine(other: Tensor, axis: number): Tensor;
  cosine(other: Tensor, axis?: number): number | Tensor {
    this.mustMatch(other, 'take the cosine of');
    if (axis === undefined) return cosineOf(this.data, other.data);
    const { lines, shape, dims } = this.along(axis);
    const theirs = other.along(axis).lines;
    const data = Float32Array.from(lines, (line, i) => cosineOf(line, theirs[i] as Float32Array));
    return this.derived(`cosine(${other.name}, ${axis})`, shape, data, dims);
  }

  /** `[…, m, k] · [k, n]` → `[…, m, n]`; or both with the same leading axes. A vector `[k]` counts as one row. */
  matmul(other: Tensor): Tensor {
    if (this.shape.length === 1 && other.shape.length === 2) {
      const row = new Tensor({ name: this.name, shape: [1, this.size], data: this.data, dims: ['row', ...this.dims] });
      return row.matmul(other).slice(0).named(`${this.name}.matmul(${other.name})`);
    }
    const [m = 0, k = 0] = this.shape.slice(-2);
    const [k2 = 0, n = 0] = other.shape.slice(-2);
    const leading = this.shape.slice(0, -2);
    const shared = other.shape.length === 2;
    const fits = this.shape.length >= 2 && k === k2 && (shared || sameShape(leading, other.shape.slice(0, -2)));
    if (!fits) {
      throw failure(
        'multiply',
        this.name,
        `shapes [${this.shape}] and [${other.shape}] of ${other.name}`,
        '[…, m, k] and [k, n]',
      );
    }
    const data = new Float32Array(product(leading) * m * n);
    const sums = new Float64Array(n);
    for (let row = 0; row < product(leading) * m; row++) {
      const matrix = shared ? 0 : Math.floor(row / m) * k * n;
      sums.fill(0);
      for (let j = 0; j < k; j++) {
        const x = this.data[row * k + j] as number;
        for (let c = 0; c < n; c++) sums[c]! += x * (other.data[matrix + j * n + c] as number);
      }
      data.set(sums, row * n);
    }
    const dims = [...this.dims.slice(0, -1), other.dims.at(-1) as string];
    return this.derived(`matmul(${other.name})`, [...leading, m, n], data, dims);
  }

  /** exp(x − max) / Σ exp(x − max) along an axis. */
  softmax(axis = -1): Tensor {
    const { lines, set, data } = this.along(axis);
    for (const [i, line] of lines.entries()) {
      const max = line.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const exps = Float64Array.from(line, (x) => Math.exp(x - max));
      const total = sumOf(exps);
      set(i, (j) => (exps[j] as number) / total);
    }
    return this.derived(`softmax(${axis})`, this.shape, data, this.dims);
  }

  /** The k largest elements of a vector, largest first, of equals the earlier one first; NaN counts as least. */
  topK(k: number): { index: number; value: number }[] {
    if (this.shape.length !== 1) {
      throw failure('take the top k of', this.name, this.axes(), 'a vector: take one row first, such as slice(-1)');
    }
    const rank = (x: number) => (Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x);
    const all = Array.from(this.data, (value, index) => ({ index, value }));
    return all.sort((a, b) => rank(b.value) - rank(a.value) || a.index - b.index).slice(0, Math.max(0, k));
  }

  /** Elementwise; `other` has the same shape, or that of the last axes, or is a number. */
  add(other: Tensor | number): Tensor {
    return this.combine('add', other, (a, b) => a + b);
  }

  sub(other: Tensor | number): Tensor {
    return this.combine('sub', other, (a, b) => a - b);
  }

  mul(other: Tensor | number): Tensor {
    return this.combine('mul', other, (a, b) => a * b);
  }

  scale(factor: number): Tensor {
    return this.combine('scale', factor, (a, b) => a * b);
  }

  /** One value for each, given it and where it stands: `z.map((x, token, head) => (head === 6 ? 0 : x))`. */
  map(fn: (value: number, ...indices: number[]) => number): Tensor {
    const indices = this.shape.map(() => 0);
    const data = this.data.map((value) => {
      const result = fn(value, ...indices);
      // Row-major: the last axis counts fastest, and carries over to the one before it.
      for (let axis = indices.length - 1; axis >= 0; axis--) {
        indices[axis]! += 1;
        if ((indices[axis] as number) < this.sizeOf(axis)) break;
        indices[axis] = 0;
      }
      return result;
    });
    return this.derived('map', this.shape, data, this.dims);
  }

  /** The same values under another name. */
  named(name: string): Tensor {
    return new Tensor({ name, shape: this.shape, data: this.data, dims: this.dims });
  }

  toArray(): Nested {
    const nest = (axis: number, offset: number): Nested => {
      if (axis === this.shape.length) return this.data[offset] as number;
      return Array.from({ length: this.sizeOf(axis) }, (_, i) => nest(axis + 1, offset * this.sizeOf(axis) + i));
    };
    return nest(0, 0);
  }

  /** `l_out-0 [token 3, embd 256] rms 1.2 mean 0.01 min -4 max 5: 0.1 0.2 …` */
  toString(): string {
    const { rms, mean, min, max, nanCount, infCount } = statisticsOf(this.data);
    const broken = (nanCount ? ` NaN ${nanCount}` : '') + (infCount ? ` Inf ${infCount}` : '');
    const range = min === null || max === null ? '' : ` min ${short(min)} max ${short(max)}`;
    const first = Array.from(this.data.subarray(0, 6), short).join(' ');
    const more = this.size > 6 ? ' …' : '';
    return `${this.name} ${this.axes()} rms ${short(rms)} mean ${short(mean)}${range}${broken}: ${first}${more}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  private axes(): string {
    return `[${this.shape.map((size, axis) => `${this.dims[axis]} ${size}`).join(', ')}]`;
  }

  private sizeOf(axis: number): number {
    return this.shape[axis] as number;
  }

  /** An index of an axis, counted from the start. */
  private position(axis: number, index: number): number {
    const size = this.sizeOf(axis);
    const from0 = index < 0 ? index + size : index;
    if (!Number.isInteger(index) || from0 < 0 || from0 >= size) {
      throw failure(
        'index',
        this.name,
        `${index} for axis ${this.dims[axis]}`,
        `a whole number from ${-size} to ${size - 1}`,
      );
    }
    return from0;
  }

  private bounds(axis: number, range: Range, size: number): [number, number] {
    if (range === null) return [0, size];
    if (typeof range === 'number') return [this.position(axis, range), this.position(axis, range) + 1];
    const [start, end] = range.map((bound) => (bound < 0 ? bound + size : bound)) as [number, number];
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > size || start > end) {
      throw failure('slice', this.name, `[${range}] for axis ${this.dims[axis]}`, `[start, end] within 0 … ${size}`);
    }
    return [start, end];
  }

  /** Copies the part within `bounds` of the block that starts at `offset` (in units of `axis`); returns where it ended. */
  private copyPart(bounds: [number, number][], axis: number, offset: number, to: Float32Array, at: number): number {
    const bound = bounds[axis];
    if (!bound) {
      to[at] = this.data[offset] as number;
      return at + 1;
    }
    const [start, end] = bound;
    const base = offset * this.sizeOf(axis);
    if (axis === bounds.length - 1) {
      to.set(this.data.subarray(base + start, base + end), at);
      return at + end - start;
    }
    let next = at;
    for (let i = start; i < end; i++) next = this.copyPart(bounds, axis + 1, base + i, to, next);
    return next;
  }

  /** The lines parallel to an axis, each a copy, in row-major order of the other axes; and `data`, which `set` fills. */
  private along(axis: number) {
    const from0 = axis < 0 ? axis + this.shape.length : axis;
    const length = this.shape[from0];
    if (length === undefined) {
      throw failure(
        'go along an axis of',
        this.name,
        `axis ${axis}`,
        `one of the ${this.shape.length} axes of ${this.axes()}`,
      );
    }
    const inner = product(this.shape.slice(from0 + 1));
    const outer = product(this.shape.slice(0, from0));
    const offset = (line: number, j: number) => (Math.floor(line / inner) * length + j) * inner + (line % inner);
    const lines = Array.from({ length: outer * inner }, (_, line) =>
      Float32Array.from({ length }, (_, j) => this.data[offset(line, j)] as number),
    );
    const data = new Float32Array(this.size);
    const set = (line: number, value: (j: number) => number) => {
      for (let j = 0; j < length; j++) data[offset(line, j)] = value(j);
    };
    const others = <T>(list: readonly T[]) => list.filter((_, i) => i !== from0);
    return { lines, data, set, shape: others(this.shape), dims: others(this.dims) };
  }

  private reduce(what: string, axis: number | undefined, of: (values: Float32Array) => number): number | Tensor {
    if (axis === undefined) return of(this.data);
    const { lines, shape, dims } = this.along(axis);
    return this.derived(`${what}(${axis})`, shape, Float32Array.from(lines, of), dims);
  }

  private combine(what: string, other: Tensor | number, of: (a: number, b: number) => number): Tensor {
    if (typeof other === 'number') {
      return this.derived(
        `${what}(${other})`,
        this.shape,
        this.data.map((a) => of(a, other)),
        this.dims,
      );
    }
    const suffix = this.shape.slice(this.shape.length - other.shape.length);
    if (other.shape.length > this.shape.length || !sameShape(suffix, other.shape)) {
      throw failure(
        what,
        this.name,
        `shapes [${this.shape}] and [${other.shape}] of ${other.name}`,
        'one shape, or the last axes of it',
      );
    }
    const data = this.data.map((a, i) => of(a, other.data[i % other.size] as number));
    return this.derived(`${what}(${other.name})`, this.shape, data, this.dims);
  }

  private mustMatch(other: Tensor, what: string): void {
    if (sameShape(this.shape, other.shape)) return;
    throw failure(what, this.name, `shapes [${this.shape}] and [${other.shape}] of ${other.name}`, 'one shape');
  }

  private derived(how: string, shape: readonly number[], data: Float32Array, dims: readonly string[]): Tensor {
    return new Tensor({ name: `${this.name}.${how}`, shape, data, dims });
  }
}

function failure(what: string, name: string, found: string, wanted: string): TraceError {
  return new TraceError(`Cannot ${what} ${name}: found ${found}; wanted ${wanted}`, { tensor: name });
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function sumOf(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}

function dotOf(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** NaN where one of the two is zero: it has no direction. */
function cosineOf(a: Float32Array, b: Float32Array): number {
  return dotOf(a, b) / Math.sqrt(dotOf(a, a) * dotOf(b, b));
}

function rangeText(range: Range): string {
  return range === null ? 'null' : typeof range === 'number' ? `${range}` : `[${range}]`;
}

function short(x: number): string {
  return Number.isFinite(x) ? `${Number(x.toPrecision(4))}` : `${x}`;
}
