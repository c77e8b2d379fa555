/** How the numbers of one of our tensors lie in somebody else's: a strided view, and what their last axis is paired by. */
import { TraceError } from '../../errors.ts';

/** Element [i, j, …] of ours is number `Σ index · stride` of theirs, both row-major. Strides are positive and nest. */
export interface View {
  /** Ours, outermost first. */
  readonly shape: readonly number[];
  /** One for each of our axes, in numbers of theirs. */
  readonly strides: readonly number[];
  /** Where their last axis has what stands at our index j; absent where both are in one order. */
  readonly lastAxis?: readonly number[];
}

export function product(shape: readonly number[]): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

/** Strides of a row-major tensor: `[2, 3, 4]` → `[12, 4, 1]`. */
export function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => product(shape.slice(axis + 1)));
}

/** All of theirs as it is, in our shape; a shape of as many numbers. */
export function wholeView(shape: readonly number[]): View {
  return { shape, strides: rowMajor(shape) };
}

/**
 * Hugging Face turns dimension i of a head together with i + d/2; Llama in GGUF turns 2i with 2i + 1, and the rows of its Q
 * and K weights were reordered for that when the model was converted. So our 2i is their i, and our 2i + 1 their i + d/2.
 */
export function halvesAsNeighbours(headDim: number): number[] {
  return Array.from({ length: headDim }, (_, j) => (j >> 1) + (j & 1) * (headDim / 2));
}

/** Ours of theirs: `data` itself where nothing lies elsewhere. Throws TraceError where `data` is too short for the view. */
export function gathered(data: Float32Array, { shape, strides, lastAxis }: View, name: string): Float32Array {
  const size = product(shape);
  const last = shape.reduce((sum, axis, i) => sum + (axis - 1) * (strides[i] as number), 0);
  if (size > 0 && last >= data.length) {
    throw new TraceError(`Cannot read ${name}: it has ${data.length} numbers; wanted at least ${last + 1}`, {
      tensor: name,
    });
  }
  const isInPlace = lastAxis === undefined && strides.join() === rowMajor(shape).join();
  if (isInPlace) return data.length === size ? data : data.subarray(0, size);
  const out = new Float32Array(size);
  const width = shape.at(-1) ?? 1;
  const step = strides.at(-1) ?? 1;
  for (let row = 0, at = 0; at < size; row++) {
    const start = startOf(row, shape, strides);
    for (let j = 0; j < width; j++) out[at++] = data[start + (lastAxis?.[j] ?? j) * step] as number;
  }
  return out;
}

/** Where row `row` (all axes but the last, row-major) begins in theirs. */
function startOf(row: number, shape: readonly number[], strides: readonly number[]): number {
  let start = 0;
  for (let axis = shape.length - 2, rest = row; axis >= 0; axis--) {
    const size = shape[axis] as number;
    start += (rest % size) * (strides[axis] as number);
    rest = Math.floor(rest / size);
  }
  return start;
}

/** The row-major offset in ours of number `offset` of theirs; null where the view leaves it out, as it does padding. */
export function offsetInOurs(offset: number, { shape, strides, lastAxis }: View): number | null {
  const own = rowMajor(shape);
  // Of two with one stride theirs has a single element in one.
  const axes = shape
    .map((size, axis) => ({ axis, size, stride: strides[axis] as number }))
    .sort((a, b) => b.stride - a.stride || b.size - a.size);
  let rest = offset;
  let at = 0;
  for (const { axis, size, stride } of axes) {
    const theirs = Math.floor(rest / stride);
    const index = axis === shape.length - 1 && lastAxis ? lastAxis.indexOf(theirs) : theirs;
    if (index < 0 || index >= size) return null;
    at += index * (own[axis] as number);
    rest -= theirs * stride;
  }
  return rest === 0 ? at : null;
}
