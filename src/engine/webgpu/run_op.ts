/** One op alone on a device: uploads its inputs, dispatches its kernel calls, reads the output back, frees everything. */
import { DeviceError } from '../../errors.ts';
import type { DeviceWeight, KernelCall, Op, Values } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import type { Gpu } from '../../platform.ts';
import type { CheckedCase, OpWeight } from '../run_op.ts';
import { deviceTraits } from './device_traits.ts';
import { type KernelLinker, uniformBytes } from './link.ts';

export interface WebgpuContext {
  readonly gpu: Gpu;
  readonly linker: KernelLinker;
}

/** Buffers by role; a weight's by role and chunk. */
type Buffers = Map<string, GPUBuffer>;

export async function runOpOnDevice(op: Op, input: CheckedCase, { gpu, linker }: WebgpuContext): Promise<Float32Array> {
  const { device } = gpu;
  const buffers: Buffers = new Map();
  device.pushErrorScope('validation');
  device.pushErrorScope('out-of-memory');
  let result: Float32Array | undefined;
  try {
    const weights: Record<string, DeviceWeight> = {};
    for (const [role, weight] of Object.entries(input.weights)) weights[role] = upload(device, buffers, role, weight);
    for (const [role, values] of Object.entries(input.tensors)) {
      buffers.set(role, bufferOf(device, deviceValues(op.inputs[role]?.kind === 'tokens', values)));
    }
    const bytes = 4 * sizeOf(input.output);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    buffers.set('output', device.createBuffer({ label: `${op.name} output`, size: bytes, usage }));
    const calls = op.dispatch({ ...input, weights, device: deviceTraits(gpu) });
    const pipelines = await Promise.all(calls.map((call) => linker.pipeline(call)));
    const encoder = device.createCommandEncoder();
    for (const [index, call] of calls.entries()) encode(device, encoder, pipelines[index]!, call, buffers);
    const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    buffers.set('staging', staging);
    encoder.copyBufferToBuffer(buffers.get('output')!, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    result = new Float32Array(staging.getMappedRange().slice(0));
  } finally {
    for (const buffer of buffers.values()) buffer.destroy();
    const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    const error = errors.find((found) => found !== null);
    // biome-ignore lint/correctness/noUnsafeFinally: the device's own error says more than what followed from it.
    if (error) throw new DeviceError(`Cannot run ${op.name} on the device: ${error.message}`);
  }
  return result;
}

/** Tokens are u32 on the device, everything else f32. */
function deviceValues(areTokens: boolean, { data }: Values): Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  return areTokens ? Uint32Array.from(data) : Float32Array.from(data);
}

/** Vectors are plain f32 on the device, whatever the file holds. */
function upload(device: GPUDevice, buffers: Buffers, role: string, weight: OpWeight): DeviceWeight {
  const [rows, columns] = [weight.shape[0] ?? 1, weight.shape[1] ?? 1];
  buffers.set(`${role} 0`, bufferOf(device, weight.rows(0, rows)));
  return { type: 'F32', shape: [rows, columns], chunks: [{ row0: 0, rows }] };
}

function bufferOf(device: GPUDevice, data: ArrayBufferView, usage = GPUBufferUsage.STORAGE): GPUBuffer {
  const buffer = device.createBuffer({ size: data.byteLength, usage: usage | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return buffer;
}

function encode(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  pipeline: GPUComputePipeline,
  call: KernelCall,
  buffers: Buffers,
): void {
  const uniforms = bufferOf(device, uniformBytes(call.uniforms), GPUBufferUsage.UNIFORM);
  buffers.set(`uniforms ${buffers.size}`, uniforms);
  const bound = call.bindings.map(({ role, chunk }) => {
    const buffer = buffers.get(chunk === undefined ? role : `${role} ${chunk}`);
    if (!buffer) throw new DeviceError(`Cannot run kernel ${call.kernel}: it binds ${role}, which is not an input`);
    return buffer;
  });
  const entries = [uniforms, ...bound].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(...call.workgroups);
  pass.end();
}
