/**
 * Weights on the device, still packed as the file packs them, in the order that kernels/parts/weight_group.wgsl reads.
 *
 * A matrix lies as planes (see BlockType): all blocks' first field, then all blocks' second. Within a plane the blocks of
 * eight rows take turns, so block b of row r is number
 *
 *     (r >> 3) · rowBlocks · 8 + b · 8 + (r & 7)
 *
 * A matvec whose lanes are rows then reads each plane as one stream (row after row it is 2.6 times slower from cold memory
 * on lavapipe). Rows are padded to a multiple of eight, which also puts every plane at a multiple of 16 bytes; types
 * without blocks (F32, F16, BF16) are taken in groups of 32 numbers, the last of a row padded with zeros. A matrix that is
 * larger than a binding may be is split into ranges of rows. A vector is plain f32, whatever the file holds.
 *
 * The planes lie in storage buffers, or as they are in textures (texels.ts) where lanes load faster from those.
 */
import { DeviceError } from '../../errors.ts';
import { type BlockType, type BlockTypeName, blockTypes, type Plane } from '../../gguf/blocks/index.ts';
import type { DeviceWeight, Storage } from '../../ops/op.ts';
import { rowsOf } from '../../ops/shape.ts';
import type { Gpu } from '../../platform.ts';
import { mustGoOn, type Stop } from '../watched.ts';
import type { Bound } from './bound.ts';
import { maxTexelBytes, texelMemory, writeTexels } from './texels.ts';

/** Rows that take turns in a plane. */
const ROWS = 8;
/** Numbers in a group of a type that has no blocks. */
const GROUP = 32;
/** Bytes of the file that are read, rearranged and uploaded at a time. */
const PIECE_BYTES = 2 ** 20;

export interface WeightToUpload {
  readonly name: string;
  readonly type: BlockTypeName;
  /** Outermost first; one size for a vector. */
  readonly shape: readonly number[];
}

/** The raw blocks of rows row0 … row0 + rows - 1, which may be put in `into`. A vector is one row. */
export type ReadRows = (row0: number, rows: number, into: Uint8Array) => Promise<Uint8Array>;

export interface UploadOptions {
  /** Largest buffer to make, in bytes; the device's own limits when absent. */
  readonly maxChunkBytes?: number;
  readonly pieceBytes?: number;
  /** Where matrices lie; a storage buffer when absent. */
  readonly storage?: Storage;
  /** Used again from weight to weight, so that an upload of a whole model leaves no garbage; one upload at a time. */
  readonly memory?: UploadMemory;
  /** Asked between pieces; an upload that is stopped throws InterruptedError and leaves nothing on the device. */
  readonly stop?: Stop | undefined;
  /** Told how many bytes of the file are on the device, piece by piece. */
  readonly onBytes?: ((done: number) => void) | undefined;
}

/** Host memory of an upload: two pieces of the file, of which one is being read, and one as the device wants it. */
export class UploadMemory {
  readonly #parts = new Map<string, Uint8Array<ArrayBuffer>>();

  part(name: 'even' | 'odd' | 'rearranged', bytes: number): Uint8Array<ArrayBuffer> {
    const found = this.#parts.get(name);
    if (found && found.length >= bytes) return found.subarray(0, bytes);
    const made = new Uint8Array(bytes);
    this.#parts.set(name, made);
    return made;
  }
}

export interface UploadedWeight extends DeviceWeight {
  /** What kernels bind, one for each of `chunks`. */
  readonly resources: readonly Bound[];
  destroy(): void;
}

/** Memory on the device for one range of rows. */
interface Memory {
  readonly resource: Bound;
  write(offset: number, data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>): void;
  destroy(): void;
}

/** How the rows of a matrix are packed in the file and on the device. */
export interface PackedRows {
  /** Bytes of a row in the file. */
  readonly fileBytes: number;
  /** Bytes of a row on the device; more where the last group is padded. */
  readonly deviceBytes: number;
  /** Blocks, or groups of 32, in a row. */
  readonly blocks: number;
  /** Bytes of a block in the file. */
  readonly blockBytes: number;
  readonly planes: readonly Plane[];
}

/**
 * Uploads a weight piece by piece; host memory holds about two pieces. Throws DeviceError where a row does not fit a
 * binding or the device has no memory left; what was uploaded until then is freed.
 */
export async function uploadWeight(
  { device }: Pick<Gpu, 'device'>,
  weight: WeightToUpload,
  readRows: ReadRows,
  options: UploadOptions = {},
): Promise<UploadedWeight> {
  if (weight.shape.length === 1) return uploadVector(device, weight, readRows);
  const columns = weight.shape.at(-1) ?? 1;
  const rows = rowsOf(weight.shape);
  const packed = packedRows(blockTypes[weight.type], columns);
  const { storage = 'buffer' } = options;
  const maxBytes = options.maxChunkBytes ?? maxBytesOf(storage, device, ROWS * packed.deviceBytes);
  const chunkRows = ROWS * Math.floor(maxBytes / (ROWS * packed.deviceBytes));
  if (chunkRows === 0) {
    throw new DeviceError(
      `Cannot upload ${weight.name}: ${ROWS} of its rows take ${ROWS * packed.deviceBytes} bytes and the device binds at most ` +
        `${maxBytes}; use a device with larger bindings or the f64 reference`,
      { tensor: weight.name },
    );
  }
  const chunks = rowRanges(0, rows, chunkRows);
  const memories: Memory[] = [];
  const destroy = () => {
    for (const memory of memories) memory.destroy();
  };
  try {
    for (const { rows } of chunks) {
      memories.push(await memoryFor(device, weight.name, paddedRows(rows) * packed.deviceBytes, storage));
    }
    await uploadPieces(weight.name, packed, chunks, memories, readRows, options);
  } catch (error) {
    destroy();
    throw error;
  }
  const resources = memories.map(({ resource }) => resource);
  return { type: weight.type, storage, shape: [rows, columns], chunks, resources, destroy };
}

async function uploadVector(device: GPUDevice, weight: WeightToUpload, readRows: ReadRows): Promise<UploadedWeight> {
  const columns = weight.shape[0] ?? 1;
  const values = new Float32Array(columns);
  blockTypes[weight.type].dequantize(await readRows(0, 1, new Uint8Array(0)), 0, values);
  const { resource, write, destroy } = await memoryFor(device, weight.name, values.byteLength, 'buffer');
  write(0, values);
  return {
    type: 'F32',
    storage: 'buffer',
    shape: [1, columns],
    chunks: [{ row0: 0, rows: 1 }],
    resources: [resource],
    destroy,
  };
}

/** Reads the next piece while one is rearranged. */
async function uploadPieces(
  name: string,
  packed: PackedRows,
  chunks: DeviceWeight['chunks'],
  memories: readonly Memory[],
  readRows: ReadRows,
  { pieceBytes = PIECE_BYTES, memory = new UploadMemory(), stop, onBytes }: UploadOptions,
): Promise<void> {
  const pieceRows = Math.max(ROWS, ROWS * Math.floor(pieceBytes / (ROWS * packed.fileBytes)));
  const pieces = chunks.flatMap(({ row0, rows }, chunk) =>
    rowRanges(row0, rows, pieceRows).map((piece) => ({
      ...piece,
      target: memories[chunk]!,
      chunkRow0: row0,
      chunkRows: rows,
    })),
  );
  const largest = Math.max(...pieces.map(({ rows }) => paddedRows(rows)));
  const rearranged = memory.part('rearranged', largest * packed.deviceBytes);
  const read = (index: number) => {
    const { row0, rows } = pieces[index]!;
    return readRows(row0, rows, memory.part(index % 2 === 0 ? 'even' : 'odd', rows * packed.fileBytes));
  };
  let next = read(0);
  for (const [index, { rows, row0, target, chunkRow0, chunkRows }] of pieces.entries()) {
    const bytes = await next;
    // Here, where no piece is being read into memory that the next upload uses.
    mustGoOn(stop, `upload ${name}`, 'the next move uploads it');
    if (index + 1 < pieces.length) {
      next = read(index + 1);
      next.catch(() => {}); // it is awaited in the next turn; this one may throw first
    }
    let planeStart = 0;
    for (const plane of packed.planes) {
      const rowBytes = packed.blocks * plane.bytes;
      const used = rearranged.subarray(0, paddedRows(rows) * rowBytes);
      rearrangePlane(bytes, rows, packed, plane, used);
      target.write(planeStart + (row0 - chunkRow0) * rowBytes, used);
      planeStart += paddedRows(chunkRows) * rowBytes;
    }
    onBytes?.((row0 + rows) * packed.fileBytes);
  }
}

/** How rows of so many columns are packed. Every field of ggml's types has an even number of bytes, which `rearrangePlane` uses. */
export function packedRows(type: BlockType, columns: number): PackedRows {
  const elements = type.size === 1;
  const blocks = Math.ceil(columns / (elements ? GROUP : type.size));
  const blockBytes = elements ? GROUP * type.bytes : type.bytes;
  const planes = elements ? [{ field: 'value', offset: 0, bytes: blockBytes }] : type.planes;
  const fileBytes = elements ? columns * type.bytes : blocks * type.bytes;
  return { fileBytes, deviceBytes: blocks * blockBytes, blocks, blockBytes, planes };
}

/**
 * One field of `rows` rows of blocks, eight rows taking turns; `out` holds `paddedRows(rows)` rows and what the file has
 * not is zero. Copies words of two bytes, or of four where the type allows.
 */
export function rearrangePlane(
  bytes: Uint8Array,
  rows: number,
  packed: PackedRows,
  plane: Plane,
  out: Uint8Array,
): void {
  const { blocks, blockBytes, fileBytes } = packed;
  const sizes = [blockBytes, fileBytes, plane.offset, plane.bytes];
  const wordBytes = sizes.every((size) => size % 4 === 0) ? 4 : 2;
  const aligned = bytes.byteOffset % wordBytes === 0 ? bytes : bytes.slice();
  const Words = wordBytes === 4 ? Uint32Array : Uint16Array;
  const source = new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, (rows * fileBytes) / wordBytes);
  const target = new Words(out.buffer as ArrayBuffer, out.byteOffset, out.byteLength / wordBytes);
  const isPadded = rows % ROWS !== 0 || fileBytes !== blocks * blockBytes;
  if (isPadded) target.fill(0);
  const words = plane.bytes / wordBytes;
  const rowWords = fileBytes / wordBytes;
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * rowWords;
    let from = row * rowWords + plane.offset / wordBytes;
    let to = ((row - (row % ROWS)) * blocks + (row % ROWS)) * words;
    for (let block = 0; block < blocks; block++) {
      const count = Math.min(words, end - from);
      for (let i = 0; i < count; i++) target[to + i] = source[from + i]!;
      from += blockBytes / wordBytes;
      to += ROWS * words;
    }
  }
}

function rowRanges(row0: number, rows: number, most: number): { row0: number; rows: number }[] {
  const count = Math.ceil(rows / most);
  return Array.from({ length: count }, (_, i) => ({ row0: row0 + i * most, rows: Math.min(most, rows - i * most) }));
}

function paddedRows(rows: number): number {
  return ROWS * Math.ceil(rows / ROWS);
}

/**
 * Before the first write to a part of a texture Dawn clears all of it, from a buffer of its size: textures are kept small,
 * but for one that must hold `atLeast` bytes.
 */
const PREFERRED_TEXTURE_BYTES = 12 * 2 ** 20;

function maxBytesOf(storage: Storage, device: GPUDevice, atLeast: number): number {
  const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
  if (storage === 'buffer') return Math.min(maxStorageBufferBindingSize, maxBufferSize);
  return Math.min(maxTexelBytes(device), Math.max(PREFERRED_TEXTURE_BYTES, atLeast));
}

async function memoryFor(device: GPUDevice, name: string, size: number, storage: Storage): Promise<Memory> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  const memory = storage === 'texture' ? textureMemory(device, name, size) : bufferMemory(device, name, size);
  const [invalid, noMemory] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  const error = invalid ?? noMemory;
  if (error) {
    memory.destroy();
    throw new DeviceError(
      `Cannot upload ${name}: the device refused a ${storage} of ${size} bytes (${error.message}); use a smaller model or ` +
        'the f64 reference',
      { tensor: name },
    );
  }
  return memory;
}

function bufferMemory(device: GPUDevice, label: string, size: number): Memory {
  const buffer = device.createBuffer({ label, size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  return {
    resource: { buffer, offset: 0, size },
    write: (offset, data) => device.queue.writeBuffer(buffer, offset, data),
    destroy: () => buffer.destroy(),
  };
}

function textureMemory(device: GPUDevice, label: string, size: number): Memory {
  const texture = texelMemory(device, label, size, 'rgba32uint');
  return {
    resource: texture.createView(),
    write: (offset, data) => writeTexels(device.queue, texture, offset, data),
    destroy: () => texture.destroy(),
  };
}
