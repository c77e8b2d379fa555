/**
 * Outputs whose kernel stops too early (see `Unwritten`): the kernel writes to memory apart, and only what it is said to write is
 * copied to where the output lies. The rest keeps what that memory held, or gets what a seed left there.
 */
import type { Step, Unwritten } from '../../ops/step.ts';
import { leftBy, writtenOf } from '../unwritten.ts';
import type { Placed } from './outputs.ts';
import { Page } from './pages.ts';

export class PartialOutputs {
  readonly #device: GPUDevice;
  readonly #apart = new Map<string, Page>();
  readonly #made: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Where the kernel of a step writes; the output itself where it writes all of it. */
  target({ name, unwritten }: Step, output: Placed): Placed {
    if (!unwritten) return output;
    const { bytes } = output.region;
    let page = this.#apart.get(name);
    if (!page || page.bytes < bytes) {
      page = new Page(this.#buffer(`${name} in full`, bytes));
      this.#apart.set(name, page);
    }
    return { page, region: { ...output.region, offset: 0 } };
  }

  /** Copies what is written, once the kernel has run. */
  encode(encoder: GPUCommandEncoder, unwritten: Unwritten, { page: apart }: Placed, { page, region }: Placed): void {
    const { offset, count } = region;
    const written = 4 * writtenOf(unwritten, count);
    encoder.copyBufferToBuffer(apart.buffer, 0, page.buffer, offset, written);
    if (unwritten.seed === undefined) return;
    const left = this.#buffer('left in memory', 4 * count);
    this.#device.queue.writeBuffer(left, 0, leftBy(unwritten.seed, count));
    encoder.copyBufferToBuffer(left, written, page.buffer, offset + written, 4 * count - written);
  }

  #buffer(label: string, size: number): GPUBuffer {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ label, size, usage });
    this.#made.push(buffer);
    return buffer;
  }

  destroy(): void {
    for (const buffer of this.#made.splice(0)) buffer.destroy();
    this.#apart.clear();
  }
}
