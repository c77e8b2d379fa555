/**
 * Statistics of every tensor of a forward pass, computed on the device: many tensors per dispatch, one small record per
 * 4,096 elements, all of them read back once when the pass is over and added up here in f64. So a record costs 0.2 % of
 * the tensor's bytes, and the sum of a tensor of any size keeps the error of one chunk. See kernels/statistics.wgsl.
 *
 *     const statistics = new DeviceStatistics(gpu, linker);
 *     await statistics.prepare();
 *     statistics.encode(computePass, page, regions);        // as often as there are pages
 *     const readback = statistics.collect(commandEncoder);  // after the compute pass has ended
 *     device.queue.submit([commandEncoder.finish()]);
 *     const all = await readback.read();                    // in the order of encoding
 */
import { DeviceError } from '../../errors.ts';
import type { Gpu } from '../../platform.ts';
import { emptyTally, type Statistics, statisticsFrom, type Tally } from '../../trace/statistics.ts';
import type { KernelLinker } from './link.ts';

/** An f32 tensor in a buffer. */
export interface Region {
  /** Bytes from the start of the buffer; a multiple of 4. */
  readonly offset: number;
  /** Number of elements. */
  readonly count: number;
}

/** Waits until the buffer's first `size` bytes are mapped for reading; the default is the buffer's own `mapAsync`. */
export type MapForReading = (buffer: GPUBuffer, size: number) => Promise<void>;

/** Elements per record; fixed in the kernel by its 64 lanes of 64 elements. */
const CHUNK_ELEMENTS = 4096;
const RECORD_WORDS = 8;
const ENTRY_WORDS = 4;
/** Records per pair of buffers, and the most of one dispatch: 64 million elements. */
const SHEET_RECORDS = 16384;
/** A dispatch's entries start at a multiple of this: bindings start at multiples of 256 bytes, an entry has 16. */
const ENTRY_ALIGNMENT = 16;

/** A pair of buffers: what to look at, and what was found. */
interface Sheet {
  readonly table: GPUBuffer;
  readonly records: GPUBuffer;
  /** What the table holds, so that a decode step like the last one writes nothing. */
  readonly mirror: Uint32Array<ArrayBuffer>;
}

/** A tensor whose statistics are under way. */
interface Pending {
  readonly count: number;
  /** Which records are its chunks', counted over all sheets. */
  readonly records: number[];
}

/** The part of a buffer that a dispatch sees. */
interface Window {
  readonly offset: number;
  readonly size: number;
}

interface Chunk {
  /** Bytes from the start of the buffer. */
  readonly offset: number;
  readonly count: number;
  /** Index of the chunk's first element in its tensor. */
  readonly first: number;
  readonly tensor: Pending;
}

export class DeviceStatistics {
  readonly #device: GPUDevice;
  readonly #linker: KernelLinker;
  readonly #sheets: Sheet[] = [];
  readonly #groups = new WeakMap<GPUBuffer, Map<string, GPUBindGroup>>();
  readonly #idle: GPUBuffer[] = [];
  #pipeline: GPUComputePipeline | null = null;
  #pending: Pending[] = [];
  #used = 0;

  constructor(gpu: Pick<Gpu, 'device'>, linker: KernelLinker) {
    this.#device = gpu.device;
    this.#linker = linker;
  }

  /** Compiles the kernel; to be awaited before the first `encode`, and free after that. */
  async prepare(): Promise<void> {
    this.#pipeline ??= await this.#linker.pipeline({ kernel: 'statistics' });
  }

  /**
   * Adds the statistics of a page's tensors to a compute pass, after the dispatches that compute them. Submit one forward
   * pass before encoding the next: the table of what to look at is written at once.
   */
  encode(pass: GPUComputePassEncoder, page: GPUBuffer, regions: readonly Region[]): void {
    if (!this.#pipeline) throw new DeviceError('Cannot take statistics: their kernel is not compiled; await prepare()');
    pass.setPipeline(this.#pipeline);
    const chunks = this.#chunks(regions);
    for (let done = 0; done < chunks.length; ) {
      const sheet = Math.floor(this.#used / SHEET_RECORDS);
      const at = this.#used % SHEET_RECORDS;
      const window = this.#window(page, chunks[done] as Chunk);
      const seen = chunks.slice(done, done + SHEET_RECORDS - at);
      const outside = seen.findIndex((chunk) => !contains(window, chunk));
      if (outside > 0) seen.length = outside;
      for (const [i, { tensor }] of seen.entries()) tensor.records.push(this.#used + i);
      this.#writeTable(this.#sheet(sheet), at, window, seen);
      pass.setBindGroup(0, this.#group(page, window, sheet, at));
      pass.dispatchWorkgroups(seen.length);
      this.#used += ENTRY_ALIGNMENT * Math.ceil(seen.length / ENTRY_ALIGNMENT);
      done += seen.length;
    }
  }

  /** Ends the forward pass: copies its records to where they can be read, and starts anew. */
  collect(encoder: GPUCommandEncoder): StatisticsReadback {
    const bytes = this.#used * RECORD_WORDS * 4;
    const buffer = this.#readable(bytes);
    for (let first = 0; first < this.#used; first += SHEET_RECORDS) {
      const count = Math.min(SHEET_RECORDS, this.#used - first) * RECORD_WORDS * 4;
      encoder.copyBufferToBuffer(
        this.#sheet(first / SHEET_RECORDS).records,
        0,
        buffer,
        first * RECORD_WORDS * 4,
        count,
      );
    }
    const pending = this.#pending;
    this.discard();
    return new StatisticsReadback(buffer, bytes, pending, (emptied) => this.#idle.push(emptied));
  }

  /** Forgets what was encoded since the last `collect`: the pass was given up. */
  discard(): void {
    this.#pending = [];
    this.#used = 0;
  }

  destroy(): void {
    for (const { table, records } of this.#sheets.splice(0)) {
      table.destroy();
      records.destroy();
    }
    for (const buffer of this.#idle.splice(0)) buffer.destroy();
  }

  #chunks(regions: readonly Region[]): Chunk[] {
    const chunks: Chunk[] = [];
    for (const region of regions) {
      const tensor: Pending = { count: region.count, records: [] };
      this.#pending.push(tensor);
      for (let first = 0; first < region.count; first += CHUNK_ELEMENTS) {
        const count = Math.min(CHUNK_ELEMENTS, region.count - first);
        chunks.push({ offset: region.offset + 4 * first, count, first, tensor });
      }
    }
    return chunks;
  }

  /** The whole page where the device can bind it, else the one of its overlapping halves of a binding that has the chunk. */
  #window(page: GPUBuffer, chunk: Chunk): Window {
    const limit = this.#device.limits.maxStorageBufferBindingSize;
    if (page.size <= limit) return { offset: 0, size: page.size };
    const half = 256 * Math.floor(limit / 512);
    const offset = half * Math.floor(chunk.offset / half);
    return { offset, size: Math.min(2 * half, page.size - offset) };
  }

  #writeTable({ table, mirror }: Sheet, at: number, window: Window, chunks: readonly Chunk[]): void {
    const entries = chunks.flatMap(({ offset, count, first }, i) => [
      (offset - window.offset) / 4,
      count,
      first,
      at + i,
    ]);
    const held = mirror.subarray(at * ENTRY_WORDS, at * ENTRY_WORDS + entries.length);
    if (held.every((word, i) => word === entries[i])) return;
    held.set(entries);
    this.#device.queue.writeBuffer(table, at * ENTRY_WORDS * 4, mirror, at * ENTRY_WORDS, entries.length);
  }

  #sheet(index: number): Sheet {
    this.#sheets[index] ??= {
      table: this.#device.createBuffer({
        label: `statistics table ${index}`,
        size: SHEET_RECORDS * ENTRY_WORDS * 4,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
      }),
      records: this.#device.createBuffer({
        label: `statistics records ${index}`,
        size: SHEET_RECORDS * RECORD_WORDS * 4,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
      }),
      mirror: new Uint32Array(SHEET_RECORDS * ENTRY_WORDS),
    };
    return this.#sheets[index];
  }

  /** Kept as long as the page: a decode step has the same ones as the step before. */
  #group(page: GPUBuffer, window: Window, index: number, at: number): GPUBindGroup {
    const groups = this.#groups.get(page) ?? new Map<string, GPUBindGroup>();
    this.#groups.set(page, groups);
    const key = `${window.offset} ${index} ${at}`;
    const known = groups.get(key);
    if (known) return known;
    const { table, records } = this.#sheet(index);
    const made = this.#device.createBindGroup({
      layout: this.#pipeline!.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: page, ...window } },
        { binding: 1, resource: { buffer: table, offset: at * ENTRY_WORDS * 4 } },
        { binding: 2, resource: { buffer: records } },
      ],
    });
    groups.set(key, made);
    return made;
  }

  /** A buffer of at least `bytes` to map: one that was read before, if it is large enough. */
  #readable(bytes: number): GPUBuffer {
    const fitting = this.#idle.findIndex((buffer) => buffer.size >= bytes);
    if (fitting >= 0) return this.#idle.splice(fitting, 1)[0] as GPUBuffer;
    this.#idle.pop()?.destroy();
    return this.#device.createBuffer({
      label: 'statistics readback',
      size: Math.max(bytes, 1 << 16),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
  }
}

/** The records of one forward pass on their way back. Read once. */
export class StatisticsReadback {
  readonly #buffer: GPUBuffer;
  readonly #bytes: number;
  readonly #pending: readonly Pending[];
  readonly #release: (buffer: GPUBuffer) => void;

  constructor(buffer: GPUBuffer, bytes: number, pending: readonly Pending[], release: (buffer: GPUBuffer) => void) {
    this.#buffer = buffer;
    this.#bytes = bytes;
    this.#pending = pending;
    this.#release = release;
  }

  /** Statistics of every region, in the order of encoding. Call after the submit. */
  async read(map: MapForReading = mapWhole): Promise<Statistics[]> {
    if (this.#bytes === 0) {
      this.#release(this.#buffer);
      return this.#pending.map(() => statisticsFrom(emptyTally()));
    }
    await map(this.#buffer, this.#bytes);
    const words = new Uint32Array(this.#buffer.getMappedRange(0, this.#bytes));
    const all = this.#pending.map((tensor) => statisticsOfRecords(words, tensor));
    this.#buffer.unmap();
    this.#release(this.#buffer);
    return all;
  }
}

async function mapWhole(buffer: GPUBuffer, size: number): Promise<void> {
  await buffer.mapAsync(GPUMapMode.READ, 0, size);
}

function statisticsOfRecords(words: Uint32Array, { count, records }: Pending): Statistics {
  const total = emptyTally();
  total.n = count;
  for (const record of records) {
    addRecord(total, words.subarray(record * RECORD_WORDS, (record + 1) * RECORD_WORDS));
  }
  return statisticsFrom(total);
}

function contains({ offset, size }: Window, chunk: Chunk): boolean {
  return chunk.offset >= offset && chunk.offset + 4 * chunk.count <= offset + size;
}

/** The layout of a record is told in kernels/statistics.wgsl. */
function addRecord(total: Tally, record: Uint32Array): void {
  const [counts, sum, squares, least, greatest, broken, low, high] = record as unknown as RecordWords;
  const scale = 2 ** ((counts & 0xffff) - 127);
  total.sum += floatOf(sum) * scale;
  total.sumOfSquares += floatOf(squares) * scale * scale;
  total.zeroCount += counts >>> 16;
  total.nanCount += broken & 0xffff;
  total.infCount += broken >>> 16;
  total.hashLow = (total.hashLow + low) >>> 0;
  total.hashHigh = (total.hashHigh + high) >>> 0;
  // Keys of a chunk without finite elements are those of a NaN; they are left out.
  if (greatest === 0) return;
  total.min = Math.min(total.min, floatOfKey(least));
  total.max = Math.max(total.max, floatOfKey(greatest));
}

type RecordWords = [number, number, number, number, number, number, number, number];

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

function floatOf(bits: number): number {
  word[0] = bits;
  return float[0] as number;
}

/** The inverse of order_key. */
function floatOfKey(key: number): number {
  return floatOf(key >= 0x80000000 ? key - 0x80000000 : ~key);
}
