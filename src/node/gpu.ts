/**
 * WebGPU in Node through Dawn (package `webgpu`). The object that `create()` returns is kept for the life of the process:
 * Dawn aborts when it is collected.
 */
import { create, globals } from 'webgpu';
import { gpuOf } from '../engine/webgpu/gpu_of.ts';
import { DeviceError } from '../errors.ts';
import type { Gpu } from '../platform.ts';
import { quietly } from './quiet.ts';
import { settle } from './settle.ts';

let instance: GPU | undefined;
let opened: Promise<Gpu> | undefined;

/** The process's one device, opened on first use with the adapter's own limits. */
export function openGpu(): Promise<Gpu> {
  opened ??= requestGpu().catch((error) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

async function requestGpu(): Promise<Gpu> {
  Object.assign(globalThis, globals);
  instance ??= quietly(() => create([]));
  const gpu = instance;
  const adapter = await quietly(() => gpu.requestAdapter());
  if (!adapter) {
    throw new DeviceError(
      'Cannot open a GPU: no WebGPU adapter was found; install a Vulkan driver ("npx layerscope doctor" says how) ' +
        "or use the f64 reference: openModel(path, { backend: 'reference' })",
    );
  }
  const opening = await quietly(() => gpuOf(adapter, settle));
  opening.device.lost.then(() => {
    opened = undefined;
  });
  return opening;
}
