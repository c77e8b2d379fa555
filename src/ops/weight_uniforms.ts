/** The uniforms every kernel that reads a packed weight begins with; see kernels/parts/weight_group.wgsl. */
import type { DeviceWeight } from './op.ts';

/** Columns of a group. */
const GROUP = 32;
/** Rows are padded to a multiple of this on the device. */
const ROWS = 8;

/** rows and row0 of the chunk, groups of 32 in a row, groups in the buffer. */
export function weightUniforms(weight: DeviceWeight, chunk: number): readonly number[] {
  const { rows, row0 } = weight.chunks[chunk]!;
  const rowGroups = Math.ceil(weight.shape[1] / GROUP);
  return [rows, row0, rowGroups, rowGroups * ROWS * Math.ceil(rows / ROWS)];
}
