/**
 * Statistics of every tensor of a forward pass, computed on the device: many tensors per dispatch, one small record per
 * 4,096 elements, all of them read back once when the pass is over and added up here in f64. So a record costs 0.2 % of
 * the tensor's bytes, and the sum of a tensor of any size keeps the error of one chunk. See kernels/statistics.wgsl.
 *
 *     const statistics = await DeviceStatistics.create(device, kernelText);
 *     statistics.encode(computePass, page, regions);        // as often as there are pages
 *     const readback = statistics.collect(commandEncoder);  // after the compute pass has ended
 *     device.queue.submit([commandEncoder.finish()]);
 *     const all = await readback.read();                    // in the order of encoding
 */
import { DeviceError } from '../../errors.ts';
import type { KernelText } from '../../platform.ts';
import { emptyTally, type Statistics, statisticsFrom, type Tally } from '../../trace/statistics.ts';

/** A part of a buffer in which tensors lie. `offset` is a multiple of 256; `size` at most the device's binding limit. */
export interface Page {
  readonly buffer: GPUBuffer;
  /** Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** A tensor in a page. */
export interface Region {
  /** Bytes from the start of the page; a multiple of 4. */
  readonly offset: number;
  /** Number of f32 elements. */
  readonly count: number;
}

/** Waits until the buffer's first `size` bytes are mapped for reading; the default is the buffer's own `mapAsync`. */
export type MapForReading = (buffer: GPUBuffer, size: number) => Promise<void>;

/** Elements per record; fixed in the kernel by its 64 lanes of 64 elements. */
const CHUNK_ELEMENTS = 4096;
const RECORD_WORDS = 8;
const TABLE_WORDS = 4;
/** Records per pair of buffers, and the most that one dispatch sees. */
const SHEET_RECORDS = 16384;
const WINDOW_RECORDS = 4096;
/** A dispatch starts at a multiple of this: dynamic offsets are multiples of 256 bytes, a table entry has 16. */
const RECORD_ALIGNMENT = 16;

/** One pair of buffers: what to look at, and what was found. */
interface Sheet {
  readonly table: GPUBuffer;
  readonly records: GPUBuffer;
  /** What the table holds, so that a decode step like the last one writes nothing. */
  readonly mirror: Uint32Array;
}

/** Where a tensor's records are, counted over all sheets. */
interface Span {
  readonly first: number;
  readonly count: number;
}

export class DeviceStatistics {
  readonly #device: GPUDevice;
  readonly #pipeline: GPUComputePipeline;
  readonly #layout: GPUBindGroupLayout;
  readonly #sheets: Sheet[] = [];
  readonly #groups = new WeakMap<GPUBuffer, Map<string, GPUBindGroup>>();
  readonly #idle: GPUBuffer[] = [];
  #spans: Span[] = [];
  #used = 0;

  private constructor(device: GPUDevice, pipeline: GPUComputePipeline, layout: GPUBindGroupLayout) {
    this.#device = device;
    this.#pipeline = pipeline;
    this.#layout = layout;
  }

  static async create(device: GPUDevice, kernel: KernelText): Promise<DeviceStatistics> {
    const visibility = GPUShaderStage.COMPUTE;
    const layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility, buffer: { type: 'read-only-storage' } },
        { binding: 1, visibility, buffer: { type: 'read-only-storage', hasDynamicOffset: true } },
        { binding: 2, visibility, buffer: { type: 'storage', hasDynamicOffset: true } },
      ],
    });
    const module = device.createShaderModule({ label: 'statistics', code: await kernel('statistics') });
    const pipeline = await device.createComputePipelineAsync({
      label: 'statistics',
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'statistics' },
    });
    return new DeviceStatistics(device, pipeline, layout);
  }

  /**
   * Adds the statistics of the page's tensors to a compute pass, after the dispatches that compute them. Submit one
   * forward pass before encoding the next: the table of what to look at is written at once.
   */
  encode(pass: GPUComputePassEncoder, page: Page, regions: readonly Region[]): void {
    const { maxStorageBufferBindingSize: limit } = this.#device.limits;
    if (page.size > limit) {
      throw new DeviceError(
        `Cannot take statistics of ${page.buffer.label || 'a page'}: it has ${page.size} bytes; this device binds at most ${limit}; split it`,
      );
    }
    const start = this.#used;
    const table = this.#table(regions, start);
    pass.setPipeline(this.#pipeline);
    for (let done = 0; done < table.length / TABLE_WORDS; ) {
      const at = (start + done) % SHEET_RECORDS;
      const count = Math.min(table.length / TABLE_WORDS - done, WINDOW_RECORDS, SHEET_RECORDS - at);
      const sheet = Math.floor((start + done) / SHEET_RECORDS);
      this.#writeTable(this.#sheet(sheet), at, table.subarray(done * TABLE_WORDS, (done + count) * TABLE_WORDS));
      pass.setBindGroup(0, this.#group(page, sheet), [at * TABLE_WORDS * 4, at * RECORD_WORDS * 4]);
      pass.dispatchWorkgroups(count);
      done += count;
    }
    const end = start + table.length / TABLE_WORDS;
    this.#used = Math.ceil(end / RECORD_ALIGNMENT) * RECORD_ALIGNMENT;
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
    const spans = this.#spans;
    this.discard();
    return new StatisticsReadback(buffer, bytes, spans, (emptied) => this.#idle.push(emptied));
  }

  /** Forgets what was encoded since the last `collect`: the pass was given up. */
  discard(): void {
    this.#spans = [];
    this.#used = 0;
  }

  destroy(): void {
    for (const { table, records } of this.#sheets.splice(0)) {
      table.destroy();
      records.destroy();
    }
    for (const buffer of this.#idle.splice(0)) buffer.destroy();
  }

  /** (start, count, first, 0) of every chunk of the regions; notes where each region's records will be. */
  #table(regions: readonly Region[], start: number): Uint32Array {
    const chunks = regions.map(({ count }) => Math.ceil(count / CHUNK_ELEMENTS));
    const table = new Uint32Array(chunks.reduce((a, b) => a + b, 0) * TABLE_WORDS);
    let at = 0;
    for (const { offset, count } of regions) {
      this.#spans.push({ first: start + at / TABLE_WORDS, count });
      for (let first = 0; first < count; first += CHUNK_ELEMENTS, at += TABLE_WORDS) {
        table.set([offset / 4 + first, Math.min(CHUNK_ELEMENTS, count - first), first], at);
      }
    }
    return table;
  }

  #writeTable(sheet: Sheet, at: number, entries: Uint32Array<ArrayBufferLike>): void {
    const held = sheet.mirror.subarray(at * TABLE_WORDS, at * TABLE_WORDS + entries.length);
    if (held.every((word, i) => word === entries[i])) return;
    held.set(entries);
    this.#device.queue.writeBuffer(sheet.table, at * TABLE_WORDS * 4, sheet.mirror, at * TABLE_WORDS, entries.length);
  }

  #sheet(index: number): Sheet {
    // A window that starts near the end of the sheet reaches beyond it, so the buffers are one window longer.
    const records = SHEET_RECORDS + WINDOW_RECORDS;
    this.#sheets[index] ??= {
      table: this.#device.createBuffer({
        label: `statistics table ${index}`,
        size: records * TABLE_WORDS * 4,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
      }),
      records: this.#device.createBuffer({
        label: `statistics records ${index}`,
        size: records * RECORD_WORDS * 4,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
      }),
      mirror: new Uint32Array(SHEET_RECORDS * TABLE_WORDS),
    };
    return this.#sheets[index];
  }

  #group(page: Page, index: number): GPUBindGroup {
    const groups = this.#groups.get(page.buffer) ?? new Map<string, GPUBindGroup>();
    this.#groups.set(page.buffer, groups);
    const key = `${page.offset} ${page.size} ${index}`;
    const known = groups.get(key);
    if (known) return known;
    const sheet = this.#sheet(index);
    const made = this.#device.createBindGroup({
      layout: this.#layout,
      entries: [
        { binding: 0, resource: { buffer: page.buffer, offset: page.offset, size: page.size } },
        { binding: 1, resource: { buffer: sheet.table, size: WINDOW_RECORDS * TABLE_WORDS * 4 } },
        { binding: 2, resource: { buffer: sheet.records, size: WINDOW_RECORDS * RECORD_WORDS * 4 } },
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
  readonly #spans: readonly Span[];
  readonly #release: (buffer: GPUBuffer) => void;

  constructor(buffer: GPUBuffer, bytes: number, spans: readonly Span[], release: (buffer: GPUBuffer) => void) {
    this.#buffer = buffer;
    this.#bytes = bytes;
    this.#spans = spans;
    this.#release = release;
  }

  /** Statistics of every region, in the order of encoding. Call after the submit. */
  async read(map: MapForReading = mapWhole): Promise<Statistics[]> {
    if (this.#bytes === 0) {
      this.#release(this.#buffer);
      return this.#spans.map(() => statisticsFrom(emptyTally()));
    }
    await map(this.#buffer, this.#bytes);
    const words = new Uint32Array(this.#buffer.getMappedRange(0, this.#bytes));
    const all = this.#spans.map((span) => statisticsOfRecords(words, span));
    this.#buffer.unmap();
    this.#release(this.#buffer);
    return all;
  }
}

async function mapWhole(buffer: GPUBuffer, size: number): Promise<void> {
  await buffer.mapAsync(GPUMapMode.READ, 0, size);
}

function statisticsOfRecords(words: Uint32Array, { first, count }: Span): Statistics {
  const total = emptyTally();
  total.n = count;
  for (let record = first; record < first + Math.ceil(count / CHUNK_ELEMENTS); record++) {
    addRecord(total, words.subarray(record * RECORD_WORDS, (record + 1) * RECORD_WORDS));
  }
  return statisticsFrom(total);
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
