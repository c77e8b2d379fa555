/**
 * Reads GGUF v2 and v3, little endian: the header at once, tensor data by range and only when asked. The format is
 * ggml's docs/gguf.md. Every count, length and offset is held against the file's size before anything is allocated.
 *
 * Why not `@huggingface/gguf` 0.4.6: it pads what it read to 2 MB with zeros, so a header cut after 41 bytes reads as
 * three nameless tensors instead of failing; duplicate keys, overlapping tensors and offsets outside the file pass; a byte
 * order mark, which is a token of some vocabularies, is dropped; 128k tokens with merges take 0.8 s, here 0.1 s.
 */

import { GgufError } from '../errors.ts';
import type { ByteSource } from '../platform.ts';
import { type BlockTypeName, blockTypeName, blockTypeNames, blockTypes } from './blocks/index.ts';
import { HeaderCursor } from './header_cursor.ts';
import { type Metadata, optional, readMetadata, readString } from './metadata.ts';
import type { ValueType } from './value_types.ts';

export { type HasMetadata, type Metadata, optional, required, type Wanted } from './metadata.ts';
export type { GgufArray, GgufValue, ValueType } from './value_types.ts';

export interface TensorInfo {
  readonly name: string;
  readonly type: BlockTypeName;
  /** Outermost first, `[rows, columns]`: GGUF's `ne` reversed, here and nowhere else. */
  readonly shape: readonly number[];
  /** From the start of the file, in bytes. */
  readonly offset: number;
  readonly byteLength: number;
}

/** Which rows to read; a row is the innermost dimension. By default all. */
export interface RowRange {
  readonly rowStart?: number;
  readonly rowCount?: number;
  /** Memory that the bytes may be put in, so that reading piece after piece makes no garbage. */
  readonly into?: Uint8Array | undefined;
}

export interface GgufFile {
  readonly source: ByteSource;
  readonly version: 2 | 3;
  /** Tensor data start at multiples of this, in bytes. */
  readonly alignment: number;
  readonly metadata: Metadata;
  /** The type each key has in the file, for whoever writes it again. */
  readonly metadataTypes: ReadonlyMap<string, ValueType>;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The blocks of the rows, as they lie in the file. */
  readTensor(info: TensorInfo, rows?: RowRange): Promise<Uint8Array>;
  /** The rows as f32, `[rowCount, columns]`, decoded as ggml does. */
  dequantize(info: TensorInfo, rowStart?: number, rowCount?: number): Promise<Float32Array<ArrayBuffer>>;
}

/** Numbers in a row of the tensor. */
export function columnsOf(info: TensorInfo): number {
  return info.shape.at(-1)!;
}

/** Numbers in all tensors of a file: what people call its parameters. */
export function parametersOf({ tensors }: Pick<GgufFile, 'tensors'>): number {
  return [...tensors.values()].reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** Rows of the tensor: the product of all dimensions but the innermost. */
export function rowsOf(info: TensorInfo): number {
  return info.shape.slice(0, -1).reduce((product, n) => product * n, 1);
}

const DEFAULT_ALIGNMENT = 32;

/** Magic, version, tensor count, key count. */
const PREAMBLE_BYTES = 24;

/** GGML_MAX_DIMS. */
const MAX_DIMS = 4;

/** docs/gguf.md: a tensor's name is at most 64 bytes. */
const MAX_NAME_BYTES = 64;

/** The largest models have a few thousand. */
const MAX_TENSORS = 65_536;

/** Shortest entry: the name's length and one byte of it, the number of dimensions, one dimension, type, offset. */
const MIN_INFO_BYTES = 8 + 1 + 4 + 8 + 4 + 8;

/** The names of ggml's types that Layerscope does not read, for errors. Source: enum ggml_type. */
const otherTypeNames = new Map<number, string>([
  [9, 'Q8_1'],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
]);

/** Reads the header. Throws GgufError, naming the file, where it is not a GGUF file that can be read whole. */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  const cursor = new HeaderCursor(source);
  const preamble = await readPreamble(source, cursor);
  const { values: metadata, types: metadataTypes } = await readMetadata(cursor, preamble.keyCount);
  refuseSplit(source, metadata);
  const alignment = alignmentOf(source, metadata);
  const claims = await readTensorClaims(cursor, preamble.tensorCount);
  const dataStart = Math.ceil(cursor.position / alignment) * alignment;
  const infos = claims.map((claim) => tensorInfo(source, claim, dataStart, alignment));
  refuseOverlap(source, infos);
  const tensors = new Map(infos.map((info) => [info.name, info]));
  return {
    source,
    version: preamble.version,
    alignment,
    metadata,
    metadataTypes,
    tensors,
    readTensor: (info, rows = {}) => readRows(source, info, rows),
    async dequantize(info, rowStart = 0, rowCount = rowsOf(info) - rowStart) {
      const bytes = await readRows(source, info, { rowStart, rowCount });
      const numbers = new Float32Array(rowCount * columnsOf(info));
      blockTypes[info.type].dequantize(bytes, 0, numbers);
      return numbers;
    },
  };
}

async function readPreamble(source: ByteSource, cursor: HeaderCursor) {
  if (source.size === 0) throw cursor.error('it is empty; wanted a GGUF file');
  if (source.size < PREAMBLE_BYTES) throw cursor.error(`it has only ${source.size} bytes; wanted a GGUF file`);
  await cursor.need(PREAMBLE_BYTES);
  const magic = cursor.bytes(4);
  if (String.fromCharCode(...magic) !== 'GGUF') throw cursor.error(`it begins with ${printable(magic)}; wanted "GGUF"`);
  const version = cursor.u32();
  if ((version & 0xffff) === 0 && version !== 0) {
    throw cursor.error('it is a big-endian GGUF file; only little endian is supported. Convert the model again');
  }
  if (version !== 2 && version !== 3) {
    throw cursor.error(`it is GGUF version ${version}; supported are 2 and 3. Convert the model again`);
  }
  return { version, tensorCount: cursor.length(), keyCount: cursor.length() } as const;
}

function printable(bytes: Uint8Array): string {
  const isText = bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
  if (isText) return JSON.stringify(String.fromCharCode(...bytes));
  return `bytes ${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

function refuseSplit(source: ByteSource, metadata: Metadata): void {
  const parts = optional({ source, metadata }, 'split.count', 'u32') ?? 1;
  if (parts <= 1) return;
  throw new GgufError(
    `Cannot read ${source.name}: it is one of ${parts} parts of a model; wanted one file. ` +
      'Join them: llama-gguf-split --merge FIRST_PART OUT.gguf',
    { file: source.name },
  );
}

function alignmentOf(source: ByteSource, metadata: Metadata): number {
  const alignment = optional({ source, metadata }, 'general.alignment', 'u32') ?? DEFAULT_ALIGNMENT;
  const isPowerOfTwo = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (isPowerOfTwo) return alignment;
  throw new GgufError(`Cannot read ${source.name}: general.alignment is ${alignment}; wanted a power of two`, {
    file: source.name,
  });
}

/** A tensor as the header describes it, before it is held against the file. */
interface TensorClaim {
  readonly name: string;
  readonly typeId: number;
  readonly shape: readonly number[];
  /** From the start of the data. */
  readonly dataOffset: number;
}

async function readTensorClaims(cursor: HeaderCursor, count: number): Promise<TensorClaim[]> {
  if (count > MAX_TENSORS || count * MIN_INFO_BYTES > cursor.remaining) {
    throw cursor.broken(`it claims ${count} tensors; its ${cursor.remaining} remaining bytes cannot hold them`);
  }
  const claims: TensorClaim[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    cursor.reading = `the entry of tensor ${i + 1} of ${count}`;
    const claim = await readTensorClaim(cursor);
    if (claim.name === '') throw cursor.error(`tensor ${i + 1} of ${count} has no name; convert the model again`);
    if (names.has(claim.name))
      throw cursor.error(`tensor ${shownName(claim.name)} is there twice; convert the model again`);
    names.add(claim.name);
    claims.push(claim);
  }
  return claims;
}

async function readTensorClaim(cursor: HeaderCursor): Promise<TensorClaim> {
  const name = await readString(cursor, MAX_NAME_BYTES);
  await cursor.need(4);
  const nDims = cursor.u32();
  if (nDims === 0 || nDims > MAX_DIMS) {
    throw cursor.error(`tensor ${shownName(name)} has ${nDims} dimensions; wanted 1 to ${MAX_DIMS}`);
  }
  await cursor.need(8 * nDims + 12);
  const ne = Array.from({ length: nDims }, () => cursor.length());
  return { name, shape: ne.reverse(), typeId: cursor.u32(), dataOffset: cursor.length() };
}

/** A tensor's name as an error shows it: bare, unless it holds what a terminal might act on. */
function shownName(name: string): string {
  return /^[\x20-\x7e]+$/.test(name) ? name : JSON.stringify(name);
}

function tensorInfo(source: ByteSource, claim: TensorClaim, dataStart: number, alignment: number): TensorInfo {
  const { name, shape, dataOffset } = claim;
  const refuse = (what: string) =>
    new GgufError(`Cannot read ${shownName(name)} in ${source.name}: ${what}`, { file: source.name, tensor: name });
  const type = blockTypeName(claim.typeId);
  if (!type) {
    const found = otherTypeNames.get(claim.typeId) ?? `ggml's number ${claim.typeId}`;
    throw refuse(`its type is ${found}; supported types are ${blockTypeNames.join(', ')}`);
  }
  const block = blockTypes[type];
  const shapeText = `[${shape.join(', ')}]`;
  if (shape.includes(0)) throw refuse(`its shape is ${shapeText}; no dimension may be 0`);
  const columns = shape.at(-1)!;
  if (columns % block.size !== 0) {
    throw refuse(`its rows have ${columns} numbers; ${type} stores them in blocks of ${block.size}`);
  }
  if (dataOffset % alignment !== 0) {
    throw refuse(`its data start at ${dataOffset}, which is no multiple of the file's alignment, ${alignment}`);
  }
  const count = shape.reduce((product, n) => product * n, 1);
  const byteLength = (count / block.size) * block.bytes;
  const offset = dataStart + dataOffset;
  if (!(offset + byteLength <= source.size)) {
    throw refuse(
      `its shape ${shapeText} as ${type} takes bytes ${offset} to ${offset + byteLength}; the file has ${source.size}. ` +
        'It is cut short or broken: copy or download it again',
    );
  }
  return { name, type, shape, offset, byteLength };
}

function refuseOverlap(source: ByteSource, infos: readonly TensorInfo[]): void {
  const byOffset = [...infos].sort((a, b) => a.offset - b.offset);
  for (const [i, next] of byOffset.entries()) {
    const previous = byOffset[i - 1];
    if (!previous || previous.offset + previous.byteLength <= next.offset) continue;
    throw new GgufError(
      `Cannot read ${shownName(next.name)} in ${source.name}: its data start at ${next.offset}, ` +
        `within ${shownName(previous.name)}, ` +
        `which takes bytes ${previous.offset} to ${previous.offset + previous.byteLength}; convert the model again`,
      { file: source.name, tensor: next.name },
    );
  }
}

async function readRows(source: ByteSource, info: TensorInfo, rows: RowRange): Promise<Uint8Array> {
  const total = rowsOf(info);
  const { rowStart = 0, rowCount = total - rowStart } = rows;
  const isInside = Number.isInteger(rowStart) && Number.isInteger(rowCount) && rowStart >= 0 && rowCount >= 0;
  if (!isInside || rowStart + rowCount > total) {
    throw new GgufError(
      `Cannot read ${info.name} in ${source.name}: rows ${rowStart} to ${rowStart + rowCount} were asked for; it has ${total}`,
      { file: source.name, tensor: info.name },
    );
  }
  const rowBytes = info.byteLength / total;
  return source.read(info.offset + rowStart * rowBytes, rowCount * rowBytes, rows.into);
}
