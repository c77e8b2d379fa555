/**
 * The types of GGUF's metadata values, with the number that stands for each in the file and its length in bytes.
 * An array's type is written `f32[]`. Arrays of arrays, which docs/gguf.md allows, are refused, as llama.cpp does.
 * Source: ggml's docs/gguf.md.
 */

export const scalarTypes = {
  u8: { id: 0, bytes: 1 },
  i8: { id: 1, bytes: 1 },
  u16: { id: 2, bytes: 2 },
  i16: { id: 3, bytes: 2 },
  u32: { id: 4, bytes: 4 },
  i32: { id: 5, bytes: 4 },
  f32: { id: 6, bytes: 4 },
  bool: { id: 7, bytes: 1 },
  u64: { id: 10, bytes: 8 },
  i64: { id: 11, bytes: 8 },
  f64: { id: 12, bytes: 8 },
} as const;

export type ScalarType = keyof typeof scalarTypes;

export const STRING_ID = 8;
export const ARRAY_ID = 9;

/** `u32`, `string`, `f32[]`, `string[]` … */
export type ValueType = ScalarType | 'string' | `${ScalarType | 'string'}[]`;

/** A metadata value. Whole numbers of 64 bits are numbers where that is exact, bigints otherwise. */
export type GgufValue = number | bigint | boolean | string | GgufArray;

export type GgufArray =
  | readonly string[]
  | readonly boolean[]
  | readonly (number | bigint)[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

const scalarOfId = new Map<number, ScalarType>(
  (Object.keys(scalarTypes) as ScalarType[]).map((name) => [scalarTypes[name].id, name]),
);

export function scalarTypeById(id: number): ScalarType | undefined {
  return scalarOfId.get(id);
}
