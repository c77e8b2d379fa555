/**
 * Hugging Face's safetensors: eight bytes with the length of a JSON header, the header, and the numbers. What the header
 * claims is checked as its own specification has it: every byte belongs to one tensor and no more.
 * Source: https://github.com/huggingface/safetensors, "Format".
 */
import { TraceError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import { type Dump, type ForeignTensor, type NotRead, reasonOf } from './dump.ts';
import { floatsOf, type NumberTypeName, numberTypes } from './numbers.ts';
import { product } from './view.ts';

const LENGTH_BYTES = 8;
/** The specification's own limit. */
const LONGEST_HEADER = 100_000_000;
const LARGEST_SIZE = 2 ** 48;

const TYPES: Readonly<Record<string, NumberTypeName>> = {
  F16: 'f16',
  BF16: 'bf16',
  F32: 'f32',
  F64: 'f64',
  I8: 'i8',
  I16: 'i16',
  I32: 'i32',
  I64: 'i64',
  U8: 'u8',
  U16: 'u16',
  U32: 'u32',
  U64: 'u64',
  BOOL: 'bool',
};

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Whether a file of `size` bytes begins as such a one does: a length within it, then a JSON object. */
export function isSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length <= LENGTH_BYTES) return false;
  return head[LENGTH_BYTES] === 0x7b && headerLength(head) <= size;
}

/** Throws TraceError where the header cannot be true. A tensor of a type without numbers is named in `notRead`. */
export async function openSafetensors(source: ByteSource): Promise<Dump> {
  const { entries, start, metadata } = await readHeader(source);
  const tensors: ForeignTensor[] = [];
  const notRead: NotRead[] = [];
  for (const { name, dtype, shape, begin, end } of entries) {
    const type = TYPES[dtype];
    if (!type) {
      notRead.push({ name, why: `its dtype is ${dtype}; read are ${Object.keys(TYPES).join(', ')}` });
      continue;
    }
    const load = async () => numbers(source, name, await source.read(start + begin, end - begin), type);
    tensors.push({ name, dtype: type, shape, size: product(shape), pass: 0, load });
  }
  const manifest = metadata === undefined ? {} : { metadata };
  return { source: source.name, manifest, tensors, notRead, close: () => source.close() };
}

function numbers(source: ByteSource, name: string, bytes: Uint8Array, type: NumberTypeName): Float32Array {
  try {
    return floatsOf(bytes, type);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TraceError(`Cannot read ${name}: ${cause.message}`, { file: source.name, tensor: name, cause });
  }
}

async function readHeader(source: ByteSource) {
  if (source.size < LENGTH_BYTES + 2) throw broken(source, `it has ${source.size} bytes, less than an empty header`);
  const length = headerLength(await source.read(0, LENGTH_BYTES));
  const start = LENGTH_BYTES + length;
  if (length > LONGEST_HEADER || start > source.size) {
    throw broken(source, `its header claims ${length} bytes of the file's ${source.size}`);
  }
  const header = json(source, await source.read(LENGTH_BYTES, length));
  const { __metadata__: metadata, ...tensors } = header;
  const entries = Object.entries(tensors).map(([name, entry]) => checkedEntry(source, name, entry));
  mustFill(source, entries, source.size - start);
  return { entries, start, metadata };
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

function json(source: ByteSource, bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw broken(source, `its header is no JSON (${reasonOf(cause)})`);
  }
  if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header as Record<string, unknown>;
  throw broken(source, 'its header is no JSON object');
}

function checkedEntry(source: ByteSource, name: string, entry: unknown): Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !areSizes(shape) || !areSizes(offsets) || offsets.length !== 2) {
    throw broken(source, `its header does not give dtype, shape and data_offsets of ${name}`);
  }
  const [begin = 0, end = 0] = offsets;
  const type = TYPES[dtype];
  const wanted = product(shape) * (type ? numberTypes[type].bytes : Number.NaN);
  if (end < begin || (type && end - begin !== wanted)) {
    throw broken(source, `its header gives ${name} ${end - begin} bytes; ${dtype} [${shape}] takes ${wanted}`);
  }
  return { name, dtype, shape, begin, end };
}

function areSizes(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((size) => Number.isInteger(size) && size >= 0 && size < LARGEST_SIZE);
}

/** Throws where tensors overlap, leave a gap, or do not end where the file does. */
function mustFill(source: ByteSource, entries: readonly Entry[], bytes: number): void {
  let at = 0;
  let before = 'the header';
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > bytes) throw broken(source, `its header puts ${name} at bytes ${begin} to ${end} of ${bytes}`);
    if (begin !== at) {
      throw broken(source, `its header lets ${name} begin at byte ${begin}; ${before} ends at ${at}`);
    }
    [at, before] = [end, name];
  }
  if (at !== bytes) throw broken(source, `it has ${bytes} bytes of numbers; its header speaks of ${at}`);
}

function broken({ name }: ByteSource, found: string): TraceError {
  return new TraceError(`Cannot read ${name}: ${found}; write or copy it again`, { file: name });
}
