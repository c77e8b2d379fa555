/** Weights of every block type for op tests, and contexts that bring out the kernels and splits of other devices. */
import type { OpWeight } from '../../src/engine/run_op.ts';
import type { WebgpuContext } from '../../src/engine/webgpu/run_op.ts';
import { type BlockTypeName, blockTypes } from '../../src/gguf/blocks/index.ts';
import { halfBits } from '../../src/gguf/half.ts';
import { normals, seeded } from '../seeded.ts';

/** A weight in the file's own bytes. Quants and scales are any bits at all, so that a wrong nibble, bit or scale shows. */
export function packedWeight(type: BlockTypeName, rows: number, columns: number, seed: number): OpWeight {
  const block = blockTypes[type];
  const bytes = block.size === 1 ? packedNumbers(type, rows * columns, seed) : packedBlocks(type, rows * columns, seed);
  return weightOf(type, rows, columns, bytes);
}

/** A weight of the given bytes. */
export function weightOf(type: BlockTypeName, rows: number, columns: number, bytes: Uint8Array<ArrayBuffer>): OpWeight {
  const block = blockTypes[type];
  const rowBytes = (columns / block.size) * block.bytes;
  return {
    type,
    shape: [rows, columns],
    bytes: (start, count) => bytes.slice(start * rowBytes, (start + count) * rowBytes),
    rows(start, count) {
      const values = new Float32Array(count * columns);
      block.dequantize(bytes, start * rowBytes, values);
      return values;
    },
  };
}

function packedNumbers(type: BlockTypeName, count: number, seed: number): Uint8Array<ArrayBuffer> {
  const values = Float32Array.from(normals(seeded(seed), count));
  if (type === 'F32') return new Uint8Array(values.buffer);
  if (type === 'F16') return new Uint8Array(Uint16Array.from(values, halfBits).buffer);
  return new Uint8Array(Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16).buffer);
}

/** Every eighth block has a subnormal scale, as K-quants of small weights do. */
function packedBlocks(type: BlockTypeName, count: number, seed: number): Uint8Array<ArrayBuffer> {
  const { bytes: blockBytes, size, planes } = blockTypes[type];
  const random = seeded(seed);
  const bytes = Uint8Array.from({ length: (count / size) * blockBytes }, () => 256 * random());
  const scales = planes.find(({ field }) => field === 'd' || field === 'dm')!;
  for (let at = 0, block = 0; at < bytes.length; at += blockBytes, block++) {
    for (let half = 0; half < scales.bytes; half += 2) {
      const bits = halfBits((random() - 0.5) * (block % 8 === 3 ? 2 ** -15 : 2 ** -6));
      bytes[at + scales.offset + half] = bits & 0xff;
      bytes[at + scales.offset + half + 1] = bits >> 8;
    }
  }
  return bytes;
}

/** The same device without subgroups of a known size. */
export function withoutSubgroups(context: WebgpuContext): WebgpuContext {
  return { ...context, traits: { ...context.traits, subgroupSize: 0, fastStorage: 'buffer' } };
}

/** The same device where kernels read from storage buffers alone. */
export function inBuffers(context: WebgpuContext): WebgpuContext {
  return { ...context, traits: { ...context.traits, fastStorage: 'buffer' } };
}

/** The same device with storage buffers of at most `bytes`. */
export function withBindingLimit(context: WebgpuContext, bytes: number): WebgpuContext {
  const limits = replaced(context.gpu.device.limits, { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes });
  return { ...context, gpu: { ...context.gpu, device: replaced(context.gpu.device, { limits }) } };
}

/** The object with some of its properties replaced; its methods still run on itself, as native objects insist. */
function replaced<T extends object>(object: T, properties: Partial<T>): T {
  return new Proxy(object, {
    get(target, key) {
      if (key in properties) return Reflect.get(properties, key);
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
