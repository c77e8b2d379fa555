/**
 * Cache slots on the device: `[position, head, dim]` f32, appended to by the steps that say `writes`. Going back is only
 * a shorter length: rows beyond it are written again before anything reads them.
 */
import type { Shape } from '../../ops/op.ts';
import { sizeOf } from '../../ops/shape.ts';
import type { Fill } from './fill.ts';

const FIRST_POSITIONS = 64;

const USAGE = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

interface Slot {
  readonly buffer: GPUBuffer;
  readonly positions: number;
}

export class KvCache {
  readonly #device: GPUDevice;
  readonly #fill: Fill | null;
  readonly #slots = new Map<string, Slot>();
  /** Slots as a faulty step finds them, and copies that were too small. */
  readonly #found = new Map<string, GPUBuffer>();
  readonly #outgrown: GPUBuffer[] = [];

  /** `fill` is what unused positions hold; zeros unless given. */
  constructor(device: GPUDevice, fill: Fill | null) {
    this.#device = device;
    this.#fill = fill;
  }

  /** The slot's buffer with room for all of `shape`, `[position, …]`. Growing doubles it and copies what it held. */
  buffer(slot: string, shape: Shape): GPUBuffer {
    const positions = shape[0] ?? 0;
    const found = this.#slots.get(slot);
    if (found && found.positions >= positions) return found.buffer;
    let room = found?.positions ?? FIRST_POSITIONS;
    while (room < positions) room *= 2;
    const buffer = this.#device.createBuffer({ label: slot, size: room * rowBytes(shape), usage: USAGE() });
    if (found || this.#fill) {
      const encoder = this.#device.createCommandEncoder();
      this.#fill?.buffer(encoder, buffer, 0, buffer.size);
      if (found) encoder.copyBufferToBuffer(found.buffer, 0, buffer, 0, found.buffer.size);
      this.#device.queue.submit([encoder.finish()]);
      found?.buffer.destroy();
    }
    this.#slots.set(slot, { buffer, positions: room });
    return buffer;
  }

  /** A copy of the slot in which the row of each position is that of the position which `cached` gives. */
  copy(encoder: GPUCommandEncoder, slot: string, shape: Shape, cached: (position: number) => number): GPUBuffer {
    const from = this.buffer(slot, shape);
    const found = this.#found.get(slot);
    let to = found;
    if (!to || to.size < from.size) {
      to = this.#device.createBuffer({ label: `${slot} as found`, size: from.size, usage: USAGE() });
      if (found) this.#outgrown.push(found);
      this.#found.set(slot, to);
    }
    const bytes = rowBytes(shape);
    for (let position = 0; position < (shape[0] ?? 0); position++) {
      encoder.copyBufferToBuffer(from, this.offset(cached(position), shape), to, this.offset(position, shape), bytes);
    }
    return to;
  }

  /** Where a position's row starts, in bytes. */
  offset(position: number, shape: Shape): number {
    return position * rowBytes(shape);
  }

  destroy(): void {
    for (const { buffer } of this.#slots.values()) buffer.destroy();
    for (const buffer of [...this.#found.values(), ...this.#outgrown]) buffer.destroy();
    this.#slots.clear();
    this.#found.clear();
  }
}

function rowBytes(shape: Shape): number {
  return 4 * sizeOf(shape.slice(1));
}
