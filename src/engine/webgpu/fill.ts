/**
 * Memory with words of the caller's in it before a step writes there. Pages are used again without being cleared, and what a
 * kernel does not write, or reads though nobody wrote it, is seldom wrong twice in the same way; with known words in its
 * place it is. See src/compare/stale.ts.
 */
import { copyTexels, texelBytes } from './texels.ts';

/** Bytes copied at a time; a multiple of 256. */
const TILE_BYTES = 2 ** 20;

export class Fill {
  readonly #device: GPUDevice;
  readonly #words: Uint32Array;
  #tile: GPUBuffer | null = null;

  /** `words` are repeated. */
  constructor(device: GPUDevice, words: Uint32Array) {
    this.#device = device;
    this.#words = words;
  }

  buffer(encoder: GPUCommandEncoder, buffer: GPUBuffer, offset: number, bytes: number): void {
    const tile = this.#source(TILE_BYTES);
    for (let done = 0; done < bytes; done += TILE_BYTES) {
      encoder.copyBufferToBuffer(tile, 0, buffer, offset + done, Math.min(TILE_BYTES, bytes - done));
    }
  }

  texture(encoder: GPUCommandEncoder, texture: GPUTexture): void {
    const size = texelBytes(texture);
    copyTexels(encoder, { buffer: this.#source(size), offset: 0, size }, texture);
  }

  destroy(): void {
    this.#tile?.destroy();
  }

  #source(bytes: number): GPUBuffer {
    if (this.#tile && this.#tile.size >= bytes) return this.#tile;
    const tile = Uint32Array.from({ length: bytes / 4 }, (_, i) => this.#words[i % this.#words.length] as number);
    // The one before may still be read by what is encoded; it goes with the device's last use of it.
    this.#tile = this.#device.createBuffer({
      label: 'fill',
      size: bytes,
      usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    this.#device.queue.writeBuffer(this.#tile, 0, tile);
    return this.#tile;
  }
}
