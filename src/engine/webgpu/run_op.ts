/** One op alone on a device: uploads its inputs, dispatches its kernel calls, reads the output back, frees everything. */
import { DeviceError, StepError } from '../../errors.ts';
import { type BlockTypeName, blockTypes } from '../../gguf/blocks/index.ts';
import type { Binding, DeviceTraits, KernelCall, Op, Storage, Values } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import type { Gpu } from '../../platform.ts';
import type { CheckedCase, OpWeight } from '../run_op.ts';
import { deviceTraits } from './device_traits.ts';
import { type KernelLinker, uniformBytes } from './link.ts';
import { copyTexels, texelMemory } from './texels.ts';
import { type UploadedWeight, uploadWeight } from './weights.ts';

export interface WebgpuContext {
  readonly gpu: Gpu;
  readonly linker: KernelLinker;
  /** In place of what the device says of itself, to try a kernel that another device would get. */
  readonly traits?: Partial<DeviceTraits>;
}

/** A NaN that no arithmetic makes: an element that no kernel writes shows as NaN. */
const NOT_WRITTEN = 0x7fc0dead;

export async function runOpOnDevice(
  op: Op,
  input: CheckedCase,
  { gpu, linker, traits }: WebgpuContext,
): Promise<Float32Array> {
  const made: (GPUBuffer | GPUTexture)[] = [];
  const weights: Record<string, UploadedWeight> = {};
  try {
    const device = { ...deviceTraits(gpu), ...traits };
    for (const [role, weight] of Object.entries(input.weights)) {
      weights[role] = await upload(gpu, op, role, weight, device.fastStorage);
    }
    const calls = op.dispatch({ ...input, weights, device });
    const pipelines = await Promise.all(calls.map((call) => linker.pipeline(call)));
    gpu.device.pushErrorScope('out-of-memory');
    gpu.device.pushErrorScope('validation');
    const staging = submit(gpu.device, op, input, weights, calls, pipelines, made);
    const errors = await Promise.all([gpu.device.popErrorScope(), gpu.device.popErrorScope()]);
    const error = errors.find((found) => found !== null);
    if (error) throw new DeviceError(`Cannot run ${op.name} on the device: ${error.message}`);
    await staging.mapAsync(GPUMapMode.READ).catch((cause: unknown) => {
      throw new DeviceError(`Cannot read the output of ${op.name}: the device was lost; open it again`, { cause });
    });
    return new Float32Array(staging.getMappedRange().slice(0));
  } finally {
    for (const resource of made) resource.destroy();
    for (const weight of Object.values(weights)) weight.destroy();
  }
}

/** Everything between the error scopes, without waiting in between. Returns the buffer that the output is read from. */
function submit(
  device: GPUDevice,
  op: Op,
  input: CheckedCase,
  weights: Readonly<Record<string, UploadedWeight>>,
  calls: readonly KernelCall[],
  pipelines: readonly GPUComputePipeline[],
  made: (GPUBuffer | GPUTexture)[],
): GPUBuffer {
  const buffer = (usage: number, data: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>) => {
    const created = device.createBuffer({
      label: op.name,
      size: data.byteLength,
      usage: usage | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(created, 0, data);
    made.push(created);
    return created;
  };
  const textureCopy = (encoder: GPUCommandEncoder, from: GPUBuffer) => {
    const texture = texelMemory(device, op.name, from.size, 'rgba32float');
    made.push(texture);
    copyTexels(encoder, { buffer: from, offset: 0, size: from.size }, texture);
    return texture.createView();
  };
  const unwritten = new Uint32Array(sizeOf(input.output)).fill(NOT_WRITTEN);
  const output = buffer(GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC, unwritten);
  const tensors = new Map([['output', output]]);
  for (const [role, values] of Object.entries(input.tensors)) {
    tensors.set(role, buffer(GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC, deviceValues(op, role, values)));
  }
  const encoder = device.createCommandEncoder();
  for (const [index, { uniforms, bindings, workgroups }] of calls.entries()) {
    const pipeline = pipelines[index]!;
    const resourceOf = ({ role, chunk, storage }: Binding): GPUBindingResource => {
      const tensor = tensors.get(role);
      if (tensor) return storage === 'texture' ? textureCopy(encoder, tensor) : { buffer: tensor };
      const found = weights[role]?.resources[chunk ?? 0];
      if (!found) throw new StepError(`Cannot run ${op.name}: its kernel binds ${role}, which was not given`);
      return found;
    };
    const uniform = { buffer: buffer(GPUBufferUsage.UNIFORM, uniformBytes(uniforms)) };
    const entries = [uniform, ...bindings.map(resourceOf)].map((resource, binding) => ({ binding, resource }));
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...workgroups);
    pass.end();
  }
  const staging = buffer(GPUBufferUsage.MAP_READ, unwritten);
  encoder.copyBufferToBuffer(output, 0, staging, 0, output.size);
  device.queue.submit([encoder.finish()]);
  return staging;
}

/** Token ids are u32 on the device, everything else f32. */
function deviceValues(op: Op, role: string, { data }: Values): Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  return op.inputs[role]?.kind === 'tokens' ? Uint32Array.from(data) : Float32Array.from(data);
}

function upload(
  gpu: Gpu,
  op: Op,
  role: string,
  { type, shape, bytes }: OpWeight,
  storage: Storage,
): Promise<UploadedWeight> {
  if (!(type in blockTypes)) {
    const known = Object.keys(blockTypes).join(', ');
    throw new StepError(`Cannot run ${op.name}: its ${role} is of type ${type}; supported types are ${known}`);
  }
  const info = { name: role, type: type as BlockTypeName, shape };
  return uploadWeight(gpu, info, async (row0, rows) => bytes(row0, rows), { storage });
}
