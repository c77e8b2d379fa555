/**
 * How many workgroups to dispatch. A dimension holds at most 65,535 of them, so a long list is laid out in two; the
 * kernel gets its place back with `workgroup_index` (kernels/parts/workgroup_index.wgsl) and leaves where it is past the end.
 */
import type { DeviceTraits } from './op.ts';

/** Elements that a workgroup of an elementwise kernel computes: 64 lanes, four each, which halves lavapipe's time. */
const ELEMENTS = 256;

/** A grid of at least `count` workgroups. */
export function workgroups(count: number, device: DeviceTraits): readonly [number, number, number] {
  const x = Math.min(count, device.maxWorkgroupsPerDimension);
  return [x, Math.ceil(count / x), 1];
}

/** A grid for an elementwise kernel. */
export function workgroupsPerElement(elements: number, device: DeviceTraits): readonly [number, number, number] {
  return workgroups(Math.ceil(elements / ELEMENTS), device);
}

/**
 * Lanes that share one row of a reduction. Subgroups of 8 are a CPU's vector registers, and more lanes than that take
 * turns at every barrier: on lavapipe soft_max of 4,096 rows of 128 takes 4 ms of a core with 8 lanes, 11 with 32.
 */
export function lanesPerRow(lanes: number, device: DeviceTraits): number {
  return device.subgroupSize === 8 ? 8 : lanes;
}
