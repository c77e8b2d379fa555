/**
 * WebGPU in Node through Dawn (package `webgpu`). The object that `create()` returns is kept for the life of the process:
 * Dawn aborts when it is collected.
 */
import { create, globals } from 'webgpu';
import { DeviceError } from '../errors.ts';
import type { Gpu } from '../platform.ts';
import { quietly } from './quiet.ts';

let instance: GPU | undefined;
let opened: Promise<Gpu> | undefined;

const WANTED_FEATURES: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];
const WANTED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxStorageBuffersPerShaderStage',
  'maxTextureDimension2D',
  'maxStorageTexturesPerShaderStage',
] as const;

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
  const device = await quietly(() =>
    adapter.requestDevice({
      requiredFeatures: WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
    }),
  );
  device.lost.then(() => {
    opened = undefined;
  });
  const { subgroupMinSize: min, subgroupMaxSize: max } = adapter.info;
  return { device, adapter, subgroups: device.features.has('subgroups') && min && max ? { min, max } : null };
}
