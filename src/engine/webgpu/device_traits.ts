/** What an op may ask of a device when it chooses a kernel; see DeviceTraits in src/ops/op.ts. */
import type { DeviceTraits } from '../../ops/op.ts';
import type { Gpu } from '../../platform.ts';

export function deviceTraits({ device, subgroups }: Gpu): DeviceTraits {
  return {
    subgroupSize: subgroups && subgroups.min === subgroups.max ? subgroups.max : 0,
    maxWorkgroupsPerDimension: device.limits.maxComputeWorkgroupsPerDimension,
    maxInvocationsPerWorkgroup: device.limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupStorageBytes: device.limits.maxComputeWorkgroupStorageSize,
  };
}
