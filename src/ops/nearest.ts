/** Rounding to narrower types as IEEE 754 has it: to the nearest, ties to even. Numbers are taken as f32 first. */

const scratch = new Float32Array(1);
const bits = new Uint32Array(scratch.buffer);

/** The f32 number nearest to x of which the last `dropped` bits are 0; ±Infinity where that is the nearest. NaN stays. */
function nearestWithout(dropped: number, x: number): number {
  scratch[0] = x;
  const isOdd = (bits[0]! >>> dropped) & 1;
  if (!Number.isNaN(scratch[0])) bits[0] = ((bits[0]! + 2 ** (dropped - 1) - 1 + isOdd) >>> dropped) << dropped;
  return scratch[0]!;
}

/** The bfloat16 number nearest to x: f32 without its last 16 bits. */
export function nearestBf16(x: number): number {
  return nearestWithout(16, x);
}

/** Below this, halves are whole multiples of 2^-24. */
const LEAST_NORMAL_HALF = 2 ** -14;
/** The first power of two that no half is. */
const PAST_HALVES = 2 ** 16;

/** The half (IEEE 754 binary16) nearest to x; from 65,520 on that is infinity. */
export function nearestHalf(x: number): number {
  const size = Math.abs(Math.fround(x));
  if (size < LEAST_NORMAL_HALF) return Math.sign(x) * (nearestWhole(size * 2 ** 24) * 2 ** -24);
  const half = nearestWithout(13, x);
  return Math.abs(half) < PAST_HALVES ? half : half * Number.POSITIVE_INFINITY;
}

/** f64 numbers of this size are whole. */
const WHOLE = 1.5 * 2 ** 52;

/** The whole number nearest to x, |x| < 2^50. */
export function nearestWhole(x: number): number {
  return x + WHOLE - WHOLE;
}
