/**
 * IEEE 754 binary16 to f32 by table, and f32 to binary16 rounded to nearest even, as ggml's GGML_FP16_TO_FP32 and
 * GGML_FP32_TO_FP16 do. The table keeps NaN payloads, so that a copy of bits stays a copy of bits.
 */

/** f32 bits of every half, by the half's 16 bits. */
export const halfAsFloatBits: Uint32Array = everyHalf();

/** f32 value of every half, by the half's 16 bits; the same memory as `halfAsFloatBits`. */
export const halfAsFloat = new Float32Array(halfAsFloatBits.buffer);

function everyHalf(): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(1 << 16);
  const floats = new Float32Array(bits.buffer);
  for (let half = 0; half < 1 << 16; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      floats[half] = fraction * 2 ** -24; // subnormal, exact in f32
      bits[half] = bits[half]! | sign;
    } else {
      const exponent32 = exponent === 31 ? 255 : exponent + 112; // 127 - 15
      bits[half] = sign | (exponent32 << 23) | (fraction << 13);
    }
  }
  return bits;
}

/** The half at `offset`, little endian, as a number. */
export function halfAt(bytes: Uint8Array, offset: number): number {
  return halfAsFloat[bytes[offset]! | (bytes[offset + 1]! << 8)]!;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** The 16 bits of the half nearest to the f32 nearest to `x`, ties to even; too large becomes infinity. */
export function halfBits(x: number): number {
  scratch[0] = x;
  const bits = scratchBits[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and above
  if (magnitude < 0x38800000) return sign | roundEven(Math.abs(scratch[0]!) * 2 ** 24); // below 2^-14: subnormal
  const dropped = magnitude & 0x1fff;
  const kept = (magnitude >> 13) - (112 << 10);
  return sign | (kept + (dropped > 0x1000 || (dropped === 0x1000 && (kept & 1) === 1) ? 1 : 0));
}

function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return floor + (rest > 0.5 || (rest === 0.5 && (floor & 1) === 1) ? 1 : 0);
}
