/** The number types of dumps, and their bytes as f32. What f32 cannot hold is refused, not rounded away. */
import { uint16ToFloat64 } from 'apache-arrow/util/math';

interface NumberType {
  readonly bytes: number;
  read(view: DataView, at: number, littleEndian: boolean): number;
}

/** f32 of the 16 bits of a half; made when first needed. */
let halves: Float32Array | undefined;

function half(bits: number): number {
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, each) => uint16ToFloat64(each));
  return halves[bits] as number;
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of an f32. */
function brain(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

export const numberTypes = {
  f16: { bytes: 2, read: (view, at, little) => half(view.getUint16(at, little)) },
  bf16: { bytes: 2, read: (view, at, little) => brain(view.getUint16(at, little)) },
  f32: { bytes: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f64: { bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  i8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  i16: { bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  i32: { bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  i64: { bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  u8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  u16: { bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  u32: { bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  u64: { bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  bool: { bytes: 1, read: (view, at) => view.getUint8(at) },
} as const satisfies Record<string, NumberType>;

export type NumberTypeName = keyof typeof numberTypes;

/** f32 holds every whole number up to this. */
const LARGEST_WHOLE = 2 ** 24;

/** Throws RangeError, as the end of a sentence, where a number is beyond f32. */
export function floatsOf(bytes: Uint8Array, type: NumberTypeName, littleEndian = true): Float32Array {
  const { bytes: width, read }: NumberType = numberTypes[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(bytes.byteLength / width);
  const isWhole = /^[iu]/.test(type);
  for (let i = 0; i < out.length; i++) {
    const value = read(view, i * width, littleEndian);
    out[i] = value;
    if (
      isWhole ? Math.abs(value) > LARGEST_WHOLE : type === 'f64' && Number.isFinite(value) && !Number.isFinite(out[i])
    ) {
      throw new RangeError(`it holds ${value}, which f32 cannot; write floats of at most 3.4e38`);
    }
  }
  return out;
}
