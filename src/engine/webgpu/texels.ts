/**
 * Textures as memory: texel i holds bytes 16i … 16i + 15, in rows of ROW_TEXELS (kernels/parts/texels.wgsl). A CPU's WebGPU
 * loads a texel at once and a storage buffer word by word; see `fastStorage` in src/ops/op.ts.
 */

import type { BoundPiece } from './bound.ts';

/** Short rows, so that little of the last is wasted; as many as a device allows are 128 MiB or more. */
const ROW_TEXELS = 1024;
const TEXEL_BYTES = 16;
const ROW_BYTES = ROW_TEXELS * TEXEL_BYTES;

/** The most bytes that one texture holds. */
export function maxTexelBytes({ limits }: GPUDevice): number {
  return ROW_BYTES * limits.maxTextureDimension2D;
}

export function texelMemory(device: GPUDevice, label: string, bytes: number, format: GPUTextureFormat): GPUTexture {
  const texels = Math.ceil(bytes / TEXEL_BYTES);
  return device.createTexture({
    label,
    size: [Math.min(texels, ROW_TEXELS), Math.ceil(texels / ROW_TEXELS)],
    format,
    usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
  });
}

/** The bytes that the texture has room for. */
export function texelBytes({ width, height }: GPUTexture): number {
  return width * height * TEXEL_BYTES;
}

/** Writes whole texels; `offset` is a multiple of 16 bytes. */
export function writeTexels(
  queue: GPUQueue,
  texture: GPUTexture,
  offset: number,
  data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>,
): void {
  for (const { origin, size, at } of rectangles(offset, data.byteLength)) {
    queue.writeTexture({ texture, origin }, data, { offset: at, bytesPerRow: ROW_BYTES }, size);
  }
  // Dawn keeps a copy of the data until a submit is done: without one here, opening a model takes a tenth more memory.
  queue.submit([]);
}

/** Copies a piece of a buffer, whole texels, to the beginning of the texture. */
export function copyTexels(
  encoder: GPUCommandEncoder,
  { buffer, offset, size: bytes }: BoundPiece,
  texture: GPUTexture,
): void {
  for (const { origin, size, at } of rectangles(0, bytes)) {
    encoder.copyBufferToTexture({ buffer, offset: offset + at, bytesPerRow: ROW_BYTES }, { texture, origin }, size);
  }
}

export interface Rectangle {
  readonly origin: [x: number, y: number];
  readonly size: [width: number, height: number];
  /** Its first byte within the data. */
  readonly at: number;
}

/** What so many bytes from `offset` on cover: the rest of a row, whole rows, the beginning of a row. */
export function rectangles(offset: number, bytes: number): Rectangle[] {
  const found: Rectangle[] = [];
  const end = (offset + bytes) / TEXEL_BYTES;
  for (let texel = offset / TEXEL_BYTES; texel < end; ) {
    const x = texel % ROW_TEXELS;
    const width = Math.min(ROW_TEXELS - x, end - texel);
    const height = width === ROW_TEXELS ? Math.floor((end - texel) / ROW_TEXELS) : 1;
    found.push({
      origin: [x, Math.floor(texel / ROW_TEXELS)],
      size: [width, height],
      at: texel * TEXEL_BYTES - offset,
    });
    texel += width * height;
  }
  return found;
}
