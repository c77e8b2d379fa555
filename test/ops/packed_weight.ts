/**
 * Weights of every block type for op tests, and one op on the device with its weight uploaded as a model's is: packed, and
 * split into ranges of rows where a limit asks for it.
 */

import type { OpWeight } from '../../src/engine/run_op.ts';
import { deviceTraits } from '../../src/engine/webgpu/device_traits.ts';
import { uniformBytes } from '../../src/engine/webgpu/link.ts';
import type { WebgpuContext } from '../../src/engine/webgpu/run_op.ts';
import { type UploadOptions, uploadWeight } from '../../src/engine/webgpu/weights.ts';
import { type BlockTypeName, blockTypes } from '../../src/gguf/blocks/index.ts';
import { halfBits } from '../../src/gguf/half.ts';
import type { DeviceTraits, Op, Params, Values } from '../../src/ops/op.ts';
import { sizeOf } from '../../src/ops/shape.ts';
import { normals, seeded } from '../seeded.ts';

/** A weight in the file's own bytes. Quants and scales are any bits at all, so that a wrong nibble, bit or scale shows. */
export function packedWeight(type: BlockTypeName, rows: number, columns: number, seed: number): OpWeight {
  const block = blockTypes[type];
  const bytes = block.size === 1 ? packedNumbers(type, rows * columns, seed) : packedBlocks(type, rows * columns, seed);
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
  const floatBits = new Uint32Array(values.buffer);
  const bits =
    type === 'F16' ? (_: unknown, i: number) => halfBits(values[i]!) : (_: unknown, i: number) => floatBits[i]! >>> 16;
  return new Uint8Array(Uint16Array.from({ length: count }, bits).buffer);
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

export interface PackedCase {
  readonly input: Values;
  readonly weight: OpWeight;
  readonly params?: Params;
}

/** The op's other input is its only one that is not the weight. */
export function inputRole(op: Op): string {
  return Object.keys(op.inputs).find((role) => role !== 'weight')!;
}

/** The op's f64 reference. */
export function packedReference(op: Op, { input, weight, params = {} }: PackedCase): Float64Array {
  const pass = { nTokens: input.shape[0]!, nPast: 0 };
  return op.reference({ tensors: { [inputRole(op)]: input }, weights: { weight } }, params, pass);
}

/** The op on the device; `traits` stand in for what the device says of itself. */
export async function packedOnDevice(
  op: Op,
  { input, weight, params = {} }: PackedCase,
  { gpu, linker }: WebgpuContext,
  options: UploadOptions & { readonly traits?: Partial<DeviceTraits> } = {},
): Promise<Float32Array> {
  const { device } = gpu;
  const role = inputRole(op);
  const pass = { nTokens: input.shape[0]!, nPast: 0 };
  const info = { name: 'weight', type: weight.type as BlockTypeName, shape: weight.shape };
  const uploaded = await uploadWeight(gpu, info, async (row0, rows) => weight.bytes(row0, rows), options);
  const shapes = { [role]: input.shape, weight: uploaded.shape };
  const output = op.shape(shapes, params, pass);
  const made: GPUBuffer[] = [];
  const buffer = (size: number, usage: number, data?: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>) => {
    made.push(device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST }));
    if (data) device.queue.writeBuffer(made.at(-1)!, 0, data);
    return made.at(-1)!;
  };
  const numbers = op.inputs[role]!.kind === 'tokens' ? Uint32Array.from(input.data) : Float32Array.from(input.data);
  const inputBuffer = buffer(numbers.byteLength, GPUBufferUsage.STORAGE, numbers);
  const bytes = 4 * sizeOf(output);
  // NaN wherever no kernel writes.
  const unwritten = new Float32Array(sizeOf(output)).fill(Number.NaN);
  const outputBuffer = buffer(bytes, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC, unwritten);
  const staging = buffer(bytes, GPUBufferUsage.MAP_READ);
  const traits = { ...deviceTraits(gpu), ...options.traits };
  const encoder = device.createCommandEncoder();
  device.pushErrorScope('validation');
  for (const call of op.dispatch({ shapes, weights: { weight: uploaded }, output, params, pass, device: traits })) {
    const words = uniformBytes(call.uniforms);
    const bound = call.bindings.map((binding) =>
      binding.role === 'output'
        ? outputBuffer
        : binding.role === role
          ? inputBuffer
          : uploaded.buffers[binding.chunk!]!,
    );
    const pipeline = await linker.pipeline(call);
    const buffers = [buffer(words.byteLength, GPUBufferUsage.UNIFORM, words), ...bound];
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoded = encoder.beginComputePass();
    encoded.setPipeline(pipeline);
    encoded.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    encoded.dispatchWorkgroups(...call.workgroups);
    encoded.end();
  }
  encoder.copyBufferToBuffer(outputBuffer, 0, staging, 0, bytes);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(error.message);
  await staging.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(staging.getMappedRange().slice(0));
  for (const each of made) each.destroy();
  uploaded.destroy();
  return values;
}
