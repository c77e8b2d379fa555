/**
 * Random blocks of any type with a wanted spread, written directly: quants are random bits, and the block's scale is set
 * so that the numbers have the wanted standard deviation and no mean. No number is ever quantised, so a gigabyte takes
 * seconds. For benchmarks and tests, where only shapes, formats and healthy magnitudes matter.
 */

import { type BlockType, type BlockTypeName, blockTypes } from './blocks/index.ts';
import { iq4NlLevels } from './blocks/iq4_nl.ts';
import { halfBits } from './half.ts';

/** sfc32 of PractRand (Chris Doty-Humphrey, public domain): 32 random bits at a time. */
export class RandomBits {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: number) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = Math.imul(seed ^ 0x9e3779b9, stream | 1);
    for (let i = 0; i < 16; i++) this.u32();
  }

  u32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.u32() / 2 ** 32;
  }

  fill(bytes: Uint8Array<ArrayBuffer>): void {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let i = 0; i < words.length; i++) words[i] = this.u32();
    for (let i = words.length * 4; i < bytes.length; i++) bytes[i] = this.u32();
  }
}

/** `count` random numbers (a multiple of the block's size) of mean 0 and standard deviation `sigma`, as blocks. */
export function randomBlocks(
  type: BlockTypeName,
  count: number,
  sigma: number,
  random: RandomBits,
): Uint8Array<ArrayBuffer> {
  const block = blockTypes[type];
  const bytes = new Uint8Array((count / block.size) * block.bytes);
  if (type === 'F32') return uniformFloats(bytes, sigma, random);
  random.fill(bytes);
  if (type === 'F16' || type === 'BF16') return uniformHalves(bytes, sigma, type);
  const recipe = recipes[type];
  for (let at = 0; at < bytes.length; at += block.bytes) {
    const spread = 0.75 + 0.5 * random.uniform(); // no two blocks alike, so that a wrong block shows
    recipe(bytes, at, sigma * spread, random);
  }
  return bytes;
}

/** A uniform distribution of standard deviation sigma reaches this far, in sigmas. */
const REACH = Math.sqrt(3);

function uniformFloats(bytes: Uint8Array<ArrayBuffer>, sigma: number, random: RandomBits): Uint8Array<ArrayBuffer> {
  const numbers = new Float32Array(bytes.buffer);
  for (let i = 0; i < numbers.length; i++) numbers[i] = (2 * random.uniform() - 1) * REACH * sigma;
  return bytes;
}

/** Takes each random 16-bit word as a place in the interval and puts the number there, by table. */
function uniformHalves(bytes: Uint8Array<ArrayBuffer>, sigma: number, type: 'F16' | 'BF16'): Uint8Array<ArrayBuffer> {
  const places = Float32Array.from({ length: 1 << 16 }, (_, i) => ((i + 0.5) / 32_768 - 1) * REACH * sigma);
  const table = type === 'F16' ? Uint16Array.from(places, halfBits) : upperHalves(places);
  const words = new Uint16Array(bytes.buffer);
  for (let i = 0; i < words.length; i++) words[i] = table[words[i]!]!;
  return bytes;
}

/** BF16 by cutting off the lower half of each f32 rather than rounding. */
function upperHalves(numbers: Float32Array<ArrayBuffer>): Uint16Array {
  const halves = new Uint16Array(numbers.buffer);
  return Uint16Array.from(numbers, (_, i) => halves[2 * i + 1]!);
}

/** Turns a block of random bytes into one whose numbers have standard deviation `sigma`. */
type Recipe = (bytes: Uint8Array, at: number, sigma: number, random: RandomBits) => void;

/** Root mean square of the whole numbers from `low` to `high`, each as likely. */
function rms(low: number, high: number): number {
  let sum = 0;
  for (let q = low; q <= high; q++) sum += q * q;
  return Math.sqrt(sum / (high - low + 1));
}

/** Standard deviation of a quant of so many bits about its centre, 2^(bits-1) - 1/2. */
function spread(bits: number): number {
  return Math.sqrt((4 ** bits - 1) / 12);
}

const levelRms = Math.sqrt(iq4NlLevels.reduce((sum, level) => sum + level * level, 0) / iq4NlLevels.length);

const recipes: { readonly [T in Exclude<BlockTypeName, 'F32' | 'F16' | 'BF16'>]: Recipe } = {
  Q4_0: symmetric(blockTypes.Q4_0, rms(-8, 7)),
  Q5_0: symmetric(blockTypes.Q5_0, rms(-16, 15)),
  Q8_0: symmetric(blockTypes.Q8_0, rms(-128, 127)),
  IQ4_NL: symmetric(blockTypes.IQ4_NL, levelRms),
  Q3_K: symmetric(blockTypes.Q3_K, rms(-32, 31) * rms(-4, 3)),
  Q6_K: symmetric(blockTypes.Q6_K, rms(-128, 127) * rms(-32, 31)),
  Q4_1: withMin(blockTypes.Q4_1, spread(4), -7.5),
  Q5_1: withMin(blockTypes.Q5_1, spread(5), -15.5),
  Q2_K: scaledWithMin(blockTypes.Q2_K, rms(8, 15) * spread(2), 1.5, equalNibbles),
  Q4_K: scaledWithMin(blockTypes.Q4_K, rms(0, 63) * spread(4), 7.5, equalScalesK4),
  Q5_K: scaledWithMin(blockTypes.Q5_K, rms(0, 63) * spread(5), 15.5, equalScalesK4),
};

function offsetOf(block: BlockType, field: string): number {
  return block.planes.find((plane) => plane.field === field)!.offset;
}

function putHalf(bytes: Uint8Array, at: number, bits: number): void {
  bytes[at] = bits & 0xff;
  bytes[at + 1] = bits >> 8;
}

/** x = d · q. The quants' mean is half a step below zero, so the sign of d is drawn too and the mean cancels. */
function symmetric(block: BlockType, unit: number): Recipe {
  const d = offsetOf(block, 'd');
  return (bytes, at, sigma, random) => {
    const sign = random.u32() & 1 ? -1 : 1;
    putHalf(bytes, at + d, halfBits((sign * sigma) / unit));
  };
}

/** x = d · q + m, with m so many d that the middle quant is 0. */
function withMin(block: BlockType, unit: number, minInD: number): Recipe {
  const dm = offsetOf(block, 'dm');
  return (bytes, at, sigma) => {
    putHalf(bytes, at + dm, halfBits(sigma / unit));
    putHalf(bytes, at + dm + 2, halfBits((sigma / unit) * minInD));
  };
}

/** x = d·s · q - dmin·m, with m = s and dmin so many d that the middle quant is 0. */
function scaledWithMin(
  block: BlockType,
  unit: number,
  minInD: number,
  equalScales: (bytes: Uint8Array, scales: number) => void,
): Recipe {
  const scales = offsetOf(block, 'scales');
  const withoutScales = withMin(block, unit, minInD);
  return (bytes, at, sigma, random) => {
    equalScales(bytes, at + scales);
    withoutScales(bytes, at, sigma, random);
  };
}

/** Q2_K: each byte holds s and m as nibbles; makes them equal, from 8 to 15. */
function equalNibbles(bytes: Uint8Array, scales: number): void {
  for (let i = scales; i < scales + 16; i++) bytes[i] = ((bytes[i]! & 7) | 8) * 0x11;
}

/** Q4_K and Q5_K: makes every group's m equal to its s (the packing is in blocks/scales_k4.ts). */
function equalScalesK4(bytes: Uint8Array, scales: number): void {
  for (let i = scales; i < scales + 4; i++) {
    bytes[i + 4] = bytes[i]!;
    bytes[i + 8] = (bytes[i + 8]! & 15) * 0x11;
  }
}
