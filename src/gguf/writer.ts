/**
 * Writes GGUF v3 (v2 for tests), little endian, as a stream: metadata, tensor table, then the data of one tensor after the
 * other, so that a file of any size takes little memory. The format is ggml's docs/gguf.md.
 */

import { LayerscopeError } from '../errors.ts';
import { type BlockTypeName, blockTypes } from './blocks/index.ts';
import {
  ARRAY_ID,
  type GgufArray,
  type GgufValue,
  type ScalarType,
  STRING_ID,
  scalarTypes,
  type ValueType,
} from './value_types.ts';

export interface TensorContent {
  readonly name: string;
  readonly type: BlockTypeName;
  /** Outermost first. */
  readonly shape: readonly number[];
  /** Its blocks, in pieces of any length; called once, when their turn comes. */
  data(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A metadata value with the type it is stored as: `['u32', 22]`, `['string[]', tokens]`. */
export type MetadataEntry = readonly [type: ValueType, value: GgufValue];

export interface GgufContent {
  readonly version?: 2 | 3;
  /** Of tensor data, in bytes; 32 unless given, and then `general.alignment` is written too. */
  readonly alignment?: number;
  readonly metadata: Readonly<Record<string, MetadataEntry>>;
  readonly tensors: readonly TensorContent[];
}

const DEFAULT_ALIGNMENT = 32;

/** Writes the whole file, piece by piece; waits for each before it makes the next. */
export async function writeGguf(content: GgufContent, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  for await (const piece of ggufPieces(content)) await write(piece);
}

/** The bytes of the file, in order. Throws where a tensor's data are not as long as its shape asks for. */
export async function* ggufPieces(content: GgufContent): AsyncGenerator<Uint8Array> {
  const alignment = content.alignment ?? DEFAULT_ALIGNMENT;
  const header = headerBytes(content, alignment);
  yield header;
  yield padding(header.length, alignment);
  for (const tensor of content.tensors) {
    let length = 0;
    for await (const piece of tensor.data()) {
      length += piece.length;
      yield piece;
    }
    const wanted = byteLength(tensor);
    if (length !== wanted) {
      throw new LayerscopeError(
        `Cannot write ${tensor.name}: its data are ${length} bytes; [${tensor.shape.join(', ')}] as ${tensor.type} takes ${wanted}`,
        { tensor: tensor.name },
      );
    }
    yield padding(length, alignment);
  }
}

/** Bytes that the tensor takes in a file. */
export function byteLength(tensor: Pick<TensorContent, 'name' | 'type' | 'shape'>): number {
  const block = blockTypes[tensor.type];
  const columns = tensor.shape.at(-1) ?? 0;
  if (columns === 0 || columns % block.size !== 0) {
    throw new LayerscopeError(
      `Cannot write ${tensor.name}: its rows have ${columns} numbers; ${tensor.type} stores them in blocks of ${block.size}`,
      { tensor: tensor.name },
    );
  }
  const count = tensor.shape.reduce((product, n) => product * n, 1);
  return (count / block.size) * block.bytes;
}

/** Bytes of the whole file that `ggufPieces` gives. */
export function fileLength(content: GgufContent): number {
  const alignment = content.alignment ?? DEFAULT_ALIGNMENT;
  const data = content.tensors.reduce((sum, tensor) => sum + aligned(byteLength(tensor), alignment), 0);
  return aligned(headerBytes(content, alignment).length, alignment) + data;
}

function aligned(length: number, alignment: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function padding(length: number, alignment: number): Uint8Array {
  return new Uint8Array(aligned(length, alignment) - length);
}

function headerBytes(content: GgufContent, alignment: number): Uint8Array {
  const entries = Object.entries(content.metadata);
  if (alignment !== DEFAULT_ALIGNMENT) entries.push(['general.alignment', ['u32', alignment]]);
  const header = new HeaderBuilder();
  header.raw(new TextEncoder().encode('GGUF'));
  header.scalar('u32', content.version ?? 3);
  header.scalar('u64', content.tensors.length);
  header.scalar('u64', entries.length);
  for (const [key, [type, value]] of entries) {
    header.string(key);
    header.scalar('u32', typeId(type));
    header.value(type, value);
  }
  let offset = 0;
  for (const tensor of content.tensors) {
    header.string(tensor.name);
    header.scalar('u32', tensor.shape.length);
    for (const n of tensor.shape.toReversed()) header.scalar('u64', n);
    header.scalar('u32', blockTypes[tensor.type].id);
    header.scalar('u64', offset);
    offset += aligned(byteLength(tensor), alignment);
  }
  return header.bytes();
}

function typeId(type: ValueType): number {
  if (type === 'string') return STRING_ID;
  if (type.endsWith('[]')) return ARRAY_ID;
  return scalarTypes[type as ScalarType].id;
}

type Scalar = number | bigint | boolean;

const put: { readonly [T in ScalarType]: (view: DataView, at: number, value: Scalar) => void } = {
  u8: (view, at, value) => view.setUint8(at, Number(value)),
  i8: (view, at, value) => view.setInt8(at, Number(value)),
  u16: (view, at, value) => view.setUint16(at, Number(value), true),
  i16: (view, at, value) => view.setInt16(at, Number(value), true),
  u32: (view, at, value) => view.setUint32(at, Number(value), true),
  i32: (view, at, value) => view.setInt32(at, Number(value), true),
  f32: (view, at, value) => view.setFloat32(at, Number(value), true),
  bool: (view, at, value) => view.setUint8(at, Number(value)),
  u64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  f64: (view, at, value) => view.setFloat64(at, Number(value), true),
};

/** Bytes that grow by doubling. */
class HeaderBuilder {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  readonly #encoder = new TextEncoder();

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#extend(bytes.length);
    this.#bytes.set(bytes, at);
  }

  string(text: string): void {
    const bytes = this.#encoder.encode(text);
    this.scalar('u64', bytes.length);
    this.raw(bytes);
  }

  value(type: ValueType, value: GgufValue): void {
    if (type === 'string') this.string(String(value));
    else if (type.endsWith('[]')) this.#array(type.slice(0, -2) as ScalarType | 'string', value as GgufArray);
    else this.scalar(type as ScalarType, value as Scalar);
  }

  scalar(type: ScalarType, value: Scalar): void {
    const at = this.#extend(scalarTypes[type].bytes);
    put[type](this.#view, at, value);
  }

  #array(type: ScalarType | 'string', values: GgufArray): void {
    this.scalar('u32', typeId(type));
    this.scalar('u64', values.length);
    for (const value of values) this.value(type, value);
  }

  #extend(length: number): number {
    const at = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}
