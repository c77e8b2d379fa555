/** A device with all that an adapter offers and Layerscope can use; the same in Node and in browsers. */
import type { Gpu } from '../../platform.ts';

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

/** Opens a device on `adapter`, with the adapter's own limits instead of WebGPU's defaults. */
export async function gpuOf(adapter: GPUAdapter, settle: Gpu['settle'] = (pending) => pending): Promise<Gpu> {
  const device = await adapter.requestDevice({
    requiredFeatures: WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(WANTED_LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  const { subgroupMinSize: min, subgroupMaxSize: max } = adapter.info;
  return { device, adapter, subgroups: device.features.has('subgroups') && min && max ? { min, max } : null, settle };
}
