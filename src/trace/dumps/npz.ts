/**
 * The arrays of a file of numpy.savez: a zip of .npy files. fflate inflates them; the list of files is read here, because
 * fflate wants the whole archive in memory and does not check what it unpacks against its CRC.
 * Source: PKWARE's APPNOTE.TXT 4.3 and 4.4, the parts without encryption, several disks and zip64.
 */
import { inflateSync } from 'fflate';
import { crc32 } from 'hash-wasm';
import { TraceError } from '../../errors.ts';
import type { ByteSource } from '../../platform.ts';
import { type Dump, type ForeignTensor, type NotRead, reasonOf } from './dump.ts';
import { openNpy } from './npy.ts';

/** The end of central directory record, without the comment that may follow it. */
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const LONGEST_COMMENT = 0xffff;
/** A file's entry in the central directory, and its header before its bytes, both without the names that follow. */
const ENTRY_BYTES = 46;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_BYTES = 30;
const LOCAL_SIGNATURE = 0x04034b50;
/** A size that stands elsewhere, in a zip64 record. */
const ELSEWHERE = 0xffffffff;
/** Deflate makes nothing smaller than this. */
const LARGEST_RATIO = 1032;

interface Entry {
  readonly name: string;
  /** 0 is stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  /** Of its local header. */
  readonly offset: number;
}

/** Throws TraceError where it is no zip or its list of files is broken; an array that is broken is named in `notRead`. */
export async function openNpz(source: ByteSource): Promise<Dump> {
  const tensors: ForeignTensor[] = [];
  const notRead: NotRead[] = [];
  for (const entry of await entriesOf(source)) {
    try {
      if (!entry.name.endsWith('.npy')) throw broken(source, 'it is no .npy file');
      const name = entry.name.replace(/\.npy$/, '');
      // Read now for its header, and again when its numbers are asked for: only one is in memory at a time.
      const { load: _, ...array } = await openNpy(await unpacked(source, entry), name);
      const load = async () => {
        const again = await openNpy(await unpacked(source, entry), name);
        return (await again.load?.()) ?? new Float32Array(0);
      };
      tensors.push({ ...array, load });
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      notRead.push({ name: entry.name, why: reasonOf(error) });
    }
  }
  return { source: source.name, manifest: {}, tensors, notRead, close: () => source.close() };
}

async function entriesOf(source: ByteSource): Promise<Entry[]> {
  const { size } = source;
  if (size < END_BYTES) throw broken(source, `it has ${size} bytes, less than the shortest zip`);
  const tailBytes = Math.min(size, END_BYTES + LONGEST_COMMENT);
  const tail = viewOf(await source.read(size - tailBytes, tailBytes));
  let at = tailBytes - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END_SIGNATURE) at--;
  if (at < 0) throw broken(source, 'its list of files is missing: it is cut off');
  const count = tail.getUint16(at + 10, true);
  const bytes = tail.getUint32(at + 12, true);
  const offset = tail.getUint32(at + 16, true);
  if (count === 0xffff || offset === ELSEWHERE) throw broken(source, 'it is a zip64 archive; unzip it into a folder');
  if (offset + bytes > size) throw broken(source, 'its list of files lies outside of it');
  const list = viewOf(await source.read(offset, bytes));
  const entries: Entry[] = [];
  for (let from = 0, i = 0; i < count; i++) {
    if (from + ENTRY_BYTES > bytes || list.getUint32(from, true) !== ENTRY_SIGNATURE) {
      throw broken(source, `its list of files breaks off at file ${i + 1} of ${count}`);
    }
    const nameBytes = list.getUint16(from + 28, true);
    const next = from + ENTRY_BYTES + nameBytes + list.getUint16(from + 30, true) + list.getUint16(from + 32, true);
    if (next > bytes) throw broken(source, `its list of files breaks off at file ${i + 1} of ${count}`);
    entries.push({
      name: new TextDecoder().decode(new Uint8Array(list.buffer, list.byteOffset + from + ENTRY_BYTES, nameBytes)),
      method: list.getUint16(from + 10, true),
      crc: list.getUint32(from + 16, true),
      packed: list.getUint32(from + 20, true),
      size: list.getUint32(from + 24, true),
      offset: list.getUint32(from + 42, true),
    });
    from = next;
  }
  return entries;
}

/** A file of the archive, in memory; throws TraceError where it is not what its entry says. */
async function unpacked(source: ByteSource, entry: Entry): Promise<ByteSource> {
  const { name, method, crc, packed, size, offset } = entry;
  if ([packed, size, offset].includes(ELSEWHERE))
    throw broken(source, 'it is larger than 4 GiB; unzip it into a folder');
  if (method !== 0 && method !== 8) throw broken(source, `it is packed by method ${method}; write it with numpy.savez`);
  if (size > packed * LARGEST_RATIO) throw broken(source, `it claims ${size} bytes in ${packed} packed ones`);
  const header = offset + LOCAL_BYTES <= source.size ? viewOf(await source.read(offset, LOCAL_BYTES)) : null;
  if (header?.getUint32(0, true) !== LOCAL_SIGNATURE) throw broken(source, `${name} is not where its list says`);
  const start = offset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + packed > source.size) throw broken(source, `${name} lies outside of the archive`);
  const bytes = inflated(source, await source.read(start, packed), entry);
  const found = Number.parseInt(await crc32(bytes), 16);
  if (bytes.length !== size || found !== crc)
    throw broken(source, `${name} is not what was packed: its CRC is another`);
  return {
    name: `${source.name}, ${name}`,
    size,
    read: async (from, length) => bytes.subarray(from, from + length),
    close: async () => {},
  };
}

function inflated(source: ByteSource, bytes: Uint8Array, { name, method, size }: Entry): Uint8Array {
  if (method === 0) return bytes;
  try {
    return inflateSync(bytes, { out: new Uint8Array(size) });
  } catch (cause) {
    throw broken(source, `${name} cannot be unpacked (${reasonOf(cause)})`);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function broken({ name }: ByteSource, found: string): TraceError {
  return new TraceError(`Cannot read ${name}: ${found}; write or copy it again`, { file: name });
}
