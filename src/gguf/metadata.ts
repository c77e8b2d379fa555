/** GGUF's metadata: key, type and value, as written in ggml's docs/gguf.md, and getters that name what is missing. */

import { GgufError } from '../errors.ts';
import type { HeaderCursor } from './header_cursor.ts';
import {
  ARRAY_ID,
  type GgufArray,
  type GgufValue,
  type ScalarType,
  STRING_ID,
  scalarTypeById,
  scalarTypes,
  type ValueType,
} from './value_types.ts';

export type Metadata = ReadonlyMap<string, GgufValue>;

/** docs/gguf.md: a key is at most 2^16 - 1 bytes long. */
const MAX_KEY_BYTES = 65_535;

/** Real files have about 40 keys. */
const MAX_KEYS = 65_536;

/** A string array keeps an entry for each element, however short; a vocabulary has at most some 500,000. */
const MAX_STRINGS = 1 << 22;

/** Shortest entry: the key's length and one byte of it, the type, a value of one byte. */
const MIN_ENTRY_BYTES = 8 + 1 + 4 + 1;

interface Entry {
  readonly type: ValueType;
  readonly value: GgufValue;
}

export async function readMetadata(
  cursor: HeaderCursor,
  count: number,
): Promise<{ values: Map<string, GgufValue>; types: Map<string, ValueType> }> {
  if (count > MAX_KEYS || count * MIN_ENTRY_BYTES > cursor.remaining) {
    throw cursor.broken(`it claims ${count} metadata keys; its ${cursor.remaining} remaining bytes cannot hold them`);
  }
  const values = new Map<string, GgufValue>();
  const types = new Map<string, ValueType>();
  for (let i = 0; i < count; i++) {
    cursor.reading = `metadata key ${i + 1} of ${count}`;
    const key = await readString(cursor, MAX_KEY_BYTES);
    if (key === '') throw cursor.error(`metadata key ${i + 1} of ${count} is empty; convert the model again`);
    if (values.has(key)) throw cursor.error(`metadata key ${shown(key)} is there twice; convert the model again`);
    cursor.reading = `the value of ${shown(key)}`;
    await cursor.need(4);
    const { type, value } = await readValue(cursor, cursor.u32());
    values.set(key, value);
    types.set(key, type);
  }
  return { values, types };
}

/** A string: its length in bytes as u64, then UTF-8. */
export async function readString(cursor: HeaderCursor, maxBytes = Number.POSITIVE_INFINITY): Promise<string> {
  await cursor.need(8);
  const length = cursor.length();
  if (length > maxBytes)
    throw cursor.broken(`${cursor.reading} is ${length} bytes long; at most ${maxBytes} are allowed`);
  await cursor.need(length);
  return cursor.text(length);
}

async function readValue(cursor: HeaderCursor, typeId: number): Promise<Entry> {
  if (typeId === STRING_ID) return { type: 'string', value: await readString(cursor) };
  if (typeId === ARRAY_ID) return readArray(cursor);
  const type = scalarTypeById(typeId);
  if (!type) throw cursor.error(`${cursor.reading} has type ${typeId}; GGUF knows types 0 to 12`);
  await cursor.need(scalarTypes[type].bytes);
  return { type, value: readScalar(cursor, type) };
}

function readScalar(cursor: HeaderCursor, type: ScalarType): number | bigint | boolean {
  if (type !== 'bool') return cursor[type]();
  const byte = cursor.u8();
  if (byte > 1) throw cursor.error(`${cursor.reading} is a bool of value ${byte}; only 0 and 1 are allowed`);
  return byte === 1;
}

async function readArray(cursor: HeaderCursor): Promise<Entry> {
  await cursor.need(12);
  const elementId = cursor.u32();
  const count = cursor.length();
  if (elementId === STRING_ID) return { type: 'string[]', value: await readStrings(cursor, count) };
  if (elementId === ARRAY_ID) throw cursor.error(`${cursor.reading} is an array of arrays, which nothing in use has`);
  const type = scalarTypeById(elementId);
  if (!type) throw cursor.error(`${cursor.reading} is an array of type ${elementId}; GGUF knows types 0 to 12`);
  await cursor.need(count * scalarTypes[type].bytes);
  return { type: `${type}[]`, value: readScalars(cursor, type, count) };
}

async function readStrings(cursor: HeaderCursor, count: number): Promise<readonly string[]> {
  refuseCount(cursor, count, 8);
  const strings: string[] = [];
  for (let i = 0; i < count; i++) {
    if (cursor.lacks(8)) await cursor.need(8);
    const length = cursor.length();
    if (cursor.lacks(length)) await cursor.need(length);
    strings.push(cursor.text(length));
  }
  return strings;
}

function refuseCount(cursor: HeaderCursor, count: number, minBytes: number): void {
  if (count <= MAX_STRINGS && count * minBytes <= cursor.remaining) return;
  throw cursor.broken(
    `${cursor.reading} claims ${count} elements; at most ${MAX_STRINGS} are allowed, and ${cursor.remaining} bytes are left`,
  );
}

function readScalars(cursor: HeaderCursor, type: ScalarType, count: number): GgufArray {
  switch (type) {
    case 'u8':
      return cursor.bytes(count);
    case 'i8':
      return new Int8Array(cursor.bytes(count).buffer);
    case 'u16':
      return new Uint16Array(cursor.bytes(2 * count).buffer);
    case 'i16':
      return new Int16Array(cursor.bytes(2 * count).buffer);
    case 'u32':
      return new Uint32Array(cursor.bytes(4 * count).buffer);
    case 'i32':
      return new Int32Array(cursor.bytes(4 * count).buffer);
    case 'f32':
      return new Float32Array(cursor.bytes(4 * count).buffer);
    case 'f64':
      return new Float64Array(cursor.bytes(8 * count).buffer);
    case 'bool':
    case 'u64':
    case 'i64':
      refuseCount(cursor, count, 0);
      return Array.from({ length: count }, () => readScalar(cursor, type)) as readonly (number | bigint)[];
    default:
      return type satisfies never;
  }
}

/** A key as an error shows it: quoted, escaped, and not a screen long. */
function shown(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
}

/** What a getter can be asked for; `u32` accepts any whole number that fits, `number[]` any array of numbers. */
export interface Wanted {
  u32: number;
  number: number;
  bool: boolean;
  string: string;
  'string[]': readonly string[];
  'number[]': ArrayLike<number>;
}

const accepts: { readonly [K in keyof Wanted]: (value: GgufValue) => boolean } = {
  u32: (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32,
  number: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  'string[]': (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
  'number[]': (value) =>
    ArrayBuffer.isView(value) || (Array.isArray(value) && value.every((item) => typeof item === 'number')),
};

/** Anything with metadata and a name; a GgufFile is one. */
export interface HasMetadata {
  readonly metadata: Metadata;
  readonly source: { readonly name: string };
}

/** The value of `key`, or undefined where the file has no such key. Throws GgufError where it is of another type. */
export function optional<K extends keyof Wanted>(file: HasMetadata, key: string, kind: K): Wanted[K] | undefined {
  const value = file.metadata.get(key);
  if (value === undefined || accepts[kind](value)) return value as Wanted[K] | undefined;
  const found =
    typeof value === 'object' ? `an array of ${value.length}` : `${typeof value} ${String(value).slice(0, 40)}`;
  throw new GgufError(`Cannot read ${file.source.name}: ${key} is ${found}; wanted ${kind}. Convert the model again`, {
    file: file.source.name,
  });
}

/** The value of `key`. Throws GgufError where the file has no such key, or where it is of another type. */
export function required<K extends keyof Wanted>(file: HasMetadata, key: string, kind: K): Wanted[K] {
  const value = optional(file, key, kind);
  if (value !== undefined) return value;
  throw new GgufError(
    `Cannot read ${file.source.name}: its metadata lacks ${key}, which must be ${kind}. Convert the model again`,
    { file: file.source.name },
  );
}
