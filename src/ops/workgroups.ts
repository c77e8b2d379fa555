/**
 * How many workgroups to dispatch. A dimension holds at most 65,535 of them, so a long list is laid out in two; the
 * kernel gets its place back with `workgroup_index` (kernels/parts/workgroup_index.wgsl) and leaves where it is past the end.
 */
import type { DeviceTraits } from './op.ts';

/** Lanes of the elementwise kernels, which compute one element each. */
const ELEMENT_LANES = 256;

/** A grid of at least `count` workgroups. */
export function workgroups(count: number, device: DeviceTraits): readonly [number, number, number] {
  const x = Math.min(count, device.maxWorkgroupsPerDimension);
  return [x, Math.ceil(count / x), 1];
}

/** A grid for one lane per element. */
export function workgroupsPerElement(elements: number, device: DeviceTraits): readonly [number, number, number] {
  return workgroups(Math.ceil(elements / ELEMENT_LANES), device);
}
