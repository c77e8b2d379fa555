import { describe, expect, test } from 'vitest';
import { packedRows, rearrangePlane, uploadWeight } from '../../../src/engine/webgpu/weights.ts';
import { type BlockTypeName, blockTypeNames, blockTypes } from '../../../src/gguf/blocks/index.ts';
import { halfBits } from '../../../src/gguf/half.ts';
import { webgpu } from '../../ops/on_every_backend.ts';
import { packedWeight } from '../../ops/packed_weight.ts';

/** Every plane of `rows` rows, as they lie on the device. */
function planesOf(type: BlockTypeName, rows: number, columns: number, bytes: Uint8Array): Uint8Array[] {
  const packed = packedRows(blockTypes[type], columns);
  return packed.planes.map((plane) => {
    const out = new Uint8Array(8 * Math.ceil(rows / 8) * packed.blocks * plane.bytes).fill(0xff);
    rearrangePlane(bytes, rows, packed, plane, out);
    return out;
  });
}

describe('a plane', () => {
  test('holds block b of eight rows, then block b + 1, and zeros where there is no row', () => {
    // Nine rows of two Q4_0 blocks; every byte of the block of row r and number b is 2r + b.
    const bytes = Uint8Array.from({ length: 9 * 2 * 18 }, (_, i) => Math.floor(i / 18));
    const scales = planesOf('Q4_0', 9, 64, bytes)[1]!;
    const firstBytes = Array.from({ length: 32 }, (_, block) => scales[2 * block]);
    const eightRows = [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15];
    const ninthRow = [16, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0];
    expect(firstBytes).toEqual([...eightRows, ...ninthRow]);
  });

  test.each(blockTypeNames)('of %s holds every byte of the file once, where the formula says', (type) => {
    const [rows, block] = [11, blockTypes[type]];
    const columns = 2 * Math.max(32, block.size);
    const bytes = packedWeight(type, rows, columns, 5).bytes(0, rows);
    const { planes, blocks, blockBytes } = packedRows(block, columns);
    const found = new Uint8Array(bytes.length);
    for (const [i, plane] of planesOf(type, rows, columns, bytes).entries()) {
      const { offset, bytes: size } = planes[i]!;
      for (let row = 0; row < rows; row++) {
        for (let b = 0; b < blocks; b++) {
          const at = ((row >> 3) * blocks * 8 + b * 8 + (row & 7)) * size;
          found.set(plane.subarray(at, at + size), (row * blocks + b) * blockBytes + offset);
        }
      }
    }
    expect(found).toEqual(bytes);
  });

  test('of a type without blocks pads the last group of a row with zeros', () => {
    const values = Float32Array.from({ length: 2 * 33 }, (_, i) => i + 1);
    const [plane] = planesOf('F32', 2, 33, new Uint8Array(values.buffer));
    const floats = new Float32Array(plane!.buffer);
    expect(Array.from(floats.subarray(8 * 32, 8 * 32 + 2))).toEqual([33, 0]);
    expect(floats.reduce((sum, value) => sum + value)).toBe((66 * 67) / 2);
  });

  test('does not depend on how the bytes are aligned in memory', () => {
    const bytes = packedWeight('Q6_K', 3, 256, 1).bytes(0, 3);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(planesOf('Q6_K', 3, 256, shifted.subarray(1))).toEqual(planesOf('Q6_K', 3, 256, bytes));
  });
});

const context = webgpu;
describe.skipIf(!context)(`uploadWeight${context ? '' : ' skipped: no WebGPU adapter'}`, () => {
  const { gpu } = context ?? ({} as NonNullable<typeof context>);

  /** A random weight, uploaded and freed again, with the row ranges that were read. */
  async function uploaded(type: BlockTypeName, rows: number, columns: number, options: object) {
    const weight = packedWeight(type, rows, columns, 3);
    const reads: [number, number][] = [];
    const result = await uploadWeight(
      gpu,
      { name: 'w', type, shape: [rows, columns] },
      async (row0, count) => {
        reads.push([row0, count]);
        return weight.bytes(row0, count);
      },
      options,
    );
    result.destroy();
    return { ...result, reads };
  }

  test('splits a matrix into ranges of whole eights of rows that fit a binding', async () => {
    // A row of 64 in Q4_0 takes 36 bytes, eight rows 288: three eights in 1,000 bytes.
    const { chunks, resources, shape } = await uploaded('Q4_0', 50, 64, { maxChunkBytes: 1000 });
    expect(shape).toEqual([50, 64]);
    expect(chunks).toEqual([
      { row0: 0, rows: 24 },
      { row0: 24, rows: 24 },
      { row0: 48, rows: 2 },
    ]);
    expect(resources.map((resource) => 'size' in resource && resource.size)).toEqual([864, 864, 288]);
  });

  test('reads every row once, a piece at a time', async () => {
    const { reads } = await uploaded('Q4_0', 50, 64, { maxChunkBytes: 1000, pieceBytes: 600 });
    expect(reads).toEqual([
      [0, 16],
      [16, 8],
      [24, 16],
      [40, 8],
      [48, 2],
    ]);
  });

  test('refuses a row that no binding holds, and names the weight', async () => {
    await expect(uploaded('F32', 8, 64, { maxChunkBytes: 1000 })).rejects.toThrow(
      /Cannot upload w: 8 of its rows take 2048 bytes and the device binds at most 1000/,
    );
  });

  test('frees what it made when reading fails', async () => {
    const made: GPUBuffer[] = [];
    const destroyed: GPUBuffer[] = [];
    const device = new Proxy(gpu.device, {
      get(target, key) {
        const value = Reflect.get(target, key);
        if (key === 'createBuffer') {
          return (descriptor: GPUBufferDescriptor) => {
            const buffer = target.createBuffer(descriptor);
            const destroy = buffer.destroy.bind(buffer);
            buffer.destroy = () => {
              destroyed.push(buffer);
              return destroy();
            };
            made.push(buffer);
            return buffer;
          };
        }
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const failing = uploadWeight({ device }, { name: 'w', type: 'F32', shape: [8, 32] }, () =>
      Promise.reject(new Error('the file is gone')),
    );
    await expect(failing).rejects.toThrow('the file is gone');
    expect(made.length).toBe(1);
    expect(destroyed).toEqual(made);
  });

  test('gives a vector as plain f32 of its own length, whatever the file holds', async () => {
    const halves = new Uint8Array(Uint16Array.of(halfBits(1.5), halfBits(-2), halfBits(0.25)).buffer);
    const written: Float32Array[] = [];
    const device = new Proxy(gpu.device, {
      get(target, key) {
        if (key === 'queue')
          return { writeBuffer: (_: GPUBuffer, __: number, data: Float32Array) => written.push(data) };
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const vector = await uploadWeight({ device }, { name: 'w', type: 'F16', shape: [3] }, async () => halves);
    expect(vector).toMatchObject({ type: 'F32', shape: [1, 3], chunks: [{ row0: 0, rows: 1 }] });
    expect(written.map((values) => Array.from(values))).toEqual([[1.5, -2, 0.25]]);
    vector.destroy();
  });
});
