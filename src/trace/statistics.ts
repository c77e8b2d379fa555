/**
 * Statistics of a tensor: the numbers kept for every step, whether its values are kept or not. This file is their
 * definition; kernels/statistics.wgsl computes the same on the device.
 *
 * NaN and Inf are counted and left out of everything else, so that one of them does not hide the rest.
 */

export interface Statistics {
  /** Elements in all, finite or not. */
  readonly n: number;
  /** Over the finite elements, added in f64; 0 where there is none. */
  readonly sum: number;
  readonly mean: number;
  /** Root of the mean square. */
  readonly rms: number;
  /** Over the finite elements; null where there is none. A zero here has no sign. */
  readonly min: number | null;
  readonly max: number | null;
  readonly absmax: number | null;
  readonly nanCount: number;
  readonly infCount: number;
  /** Zeros of either sign; a denormal is not one. */
  readonly zeroCount: number;
  /** 16 hexadecimal digits from the bits and their positions. */
  readonly hash64: string;
}

/** What is known of a part of a tensor. Parts add up in any order; `statisticsFrom` makes the result of their total. */
export interface Tally {
  n: number;
  sum: number;
  sumOfSquares: number;
  /** Infinity where no element is finite. */
  min: number;
  /** -Infinity where no element is finite. */
  max: number;
  nanCount: number;
  infCount: number;
  zeroCount: number;
  /** The two lanes of the hash, each u32. */
  hashLow: number;
  hashHigh: number;
}

export function emptyTally(): Tally {
  return {
    n: 0,
    sum: 0,
    sumOfSquares: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    nanCount: 0,
    infCount: 0,
    zeroCount: 0,
    hashLow: 0,
    hashHigh: 0,
  };
}

/** Statistics of row-major f32 data. The squares of f32 numbers neither overflow nor vanish in f64. */
export function statisticsOf(data: Float32Array): Statistics {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const total = emptyTally();
  total.n = data.length;
  for (let i = 0; i < data.length; i++) {
    const x = data[i] as number;
    if (x === 0) total.zeroCount++;
    if (Number.isFinite(x)) {
      total.sum += x;
      total.sumOfSquares += x * x;
      if (x < total.min) total.min = x;
      if (x > total.max) total.max = x;
    } else if (Number.isNaN(x)) total.nanCount++;
    else total.infCount++;
    total.hashLow = (total.hashLow + mixLow(bits[i] as number, i)) >>> 0;
    total.hashHigh = (total.hashHigh + mixHigh(bits[i] as number, i)) >>> 0;
  }
  return statisticsFrom(total);
}

export function statisticsFrom(total: Tally): Statistics {
  const finite = total.n - total.nanCount - total.infCount;
  // Adding 0 takes the sign off a zero: it says nothing, and JSON would lose it.
  const min = finite > 0 ? total.min + 0 : null;
  const max = finite > 0 ? total.max + 0 : null;
  return {
    n: total.n,
    sum: total.sum + 0,
    mean: finite > 0 ? total.sum / finite + 0 : 0,
    rms: finite > 0 ? Math.sqrt(total.sumOfSquares / finite) : 0,
    min,
    max,
    absmax: min === null || max === null ? null : Math.max(-min, max) + 0,
    nanCount: total.nanCount,
    infCount: total.infCount,
    zeroCount: total.zeroCount,
    hash64: hex(total.hashHigh) + hex(total.hashLow),
  };
}

/*
 * The hash: each lane is the sum modulo 2^32, over all elements, of a bijection of (bits combined with position). A sum
 * has no order, so a device can add its parts as it likes; a single changed element always changes both lanes, and any
 * other change is missed once in about 2^64. Not for adversaries: the Arrow file has sha256 for that.
 * Constants: positions are spread by the golden ratio and by a prime of xxHash (Yann Collet); the mixers are the
 * finaliser of MurmurHash3 (Austin Appleby) and lowbias32 (Chris Wellons, hash-prospector), both public domain.
 */
function mixLow(bits: number, i: number): number {
  let h = bits ^ Math.imul(i + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function mixHigh(bits: number, i: number): number {
  let h = (bits + Math.imul(i + 1, 0x85ebca77)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, '0');
}
