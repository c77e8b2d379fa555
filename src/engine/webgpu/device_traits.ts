/** What an op may ask of a device when it chooses a kernel; see DeviceTraits in src/ops/op.ts. */
import type { DeviceTraits } from '../../ops/op.ts';
import type { Gpu } from '../../platform.ts';

export function deviceTraits({ device, subgroups }: Gpu): DeviceTraits {
  const subgroupSize = subgroups && subgroups.min === subgroups.max ? subgroups.max : 0;
  return {
    subgroupSize,
    maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: device.limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorageBytes: device.limits.maxComputeWorkgroupStorageSize,
    // Subgroups of 8 are a CPU's vector registers.
    fastStorage: subgroupSize === 8 ? 'texture' : 'buffer',
  };
}
