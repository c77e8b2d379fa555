/** A step whose kernel stops too early (see `Unwritten`): how much it writes, and what a seed puts in place of the rest. */
import { RandomBits } from '../gguf/random_blocks.ts';
import type { Unwritten } from '../ops/step.ts';

/** How many of an output's elements are written: the first so many. */
export function writtenOf({ share }: Unwritten, count: number): number {
  return Math.max(0, Math.min(count - 1, Math.floor(count * (1 - share))));
}

/** The numbers that a seed leaves in memory, uniform in [-1, 1). */
export function leftBy(seed: number, count: number): Float32Array<ArrayBuffer> {
  const random = new RandomBits(seed, 1);
  return Float32Array.from({ length: count }, () => 2 * random.uniform() - 1);
}

/** An output of which the end was not written; `memory` is what lay there before, zeros where it says nothing. */
export function partlyWritten<T extends Float32Array | Float64Array>(
  unwritten: Unwritten,
  output: T,
  memory: ArrayLike<number> = [],
): T {
  const written = writtenOf(unwritten, output.length);
  const left = unwritten.seed === undefined ? memory : leftBy(unwritten.seed, output.length);
  return output.map((value, i) => (i < written ? value : (left[i] ?? 0))) as T;
}
