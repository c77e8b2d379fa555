/** Rows and byte sources for tests of traces. */
import type { ByteSource } from '../../src/platform.ts';
import { ArrowTraceWriter } from '../../src/trace/arrow_writer.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import type { EndRecord, Manifest, TraceRow } from '../../src/trace/trace.ts';

export function traceRow(over: Partial<TraceRow> = {}): TraceRow {
  return {
    run: 'run-1',
    seq: 0,
    pass: 0,
    step: over.name ?? 'l_out-0',
    name: 'l_out-0',
    hook: null,
    hf: null,
    layer: 0,
    op: 'add',
    pos0: 0,
    srcDtype: 'f32',
    shape: [1, 2],
    dims: ['token', 'embd'],
    statistics: statisticsOf(new Float32Array(2)),
    sha256: null,
    hasValues: true,
    ...over,
  };
}

/** A row for these values, of shape `[1, length]`. */
export function rowFor(name: string, values: Float32Array, over: Partial<TraceRow> = {}): TraceRow {
  return traceRow({ name, shape: [1, values.length], statistics: statisticsOf(values), ...over });
}

/** An Arrow trace in memory. */
export async function arrowBytesOf(
  manifest: Manifest,
  tensors: readonly { row: TraceRow; values?: Float32Array | undefined }[],
  end: EndRecord = {},
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const writer = new ArrowTraceWriter({ write: async (bytes) => void pieces.push(bytes.slice()) }, manifest);
  for (const { row, values } of tensors) await writer.append(row, values);
  await writer.end(end);
  return new Uint8Array(Buffer.concat(pieces));
}

/** Bytes as a file; counts what is read. */
export function memorySource(bytes: Uint8Array, name = 'x.arrow'): ByteSource & { reads: number; bytesRead: number } {
  return {
    name,
    size: bytes.byteLength,
    reads: 0,
    bytesRead: 0,
    async read(offset, length) {
      if (offset < 0 || length < 0 || offset + length > bytes.byteLength) throw new Error('outside of the file');
      this.reads++;
      this.bytesRead += length;
      return bytes.slice(offset, offset + length);
    },
    async close() {},
  };
}
