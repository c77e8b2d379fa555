/**
 * What a block type is: how GGUF stores 1, 32 or 256 numbers of a row as one block of bytes, and how it lies on a device.
 */

/** One field of the block, gathered into a run of its own on the device. */
export interface Plane {
  readonly field: string;
  /** Where the field starts in the block, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

export interface BlockType {
  /** As GGUF tools print it: `Q4_0`. */
  readonly name: string;
  /** ggml's number for the type. */
  readonly id: number;
  /** Numbers in a block. */
  readonly size: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /**
   * The block's fields in the order in which they lie on the device: all blocks' first field, then all blocks' second,
   * each run starting at a multiple of 16 bytes. Kernels in `kernels/blocks` read this.
   */
  readonly planes: readonly Plane[];
  /** Decodes `out.length` numbers (a multiple of `size`) from `bytes`, starting at `offset`. */
  dequantize(bytes: Uint8Array, offset: number, out: Float32Array): void;
}
