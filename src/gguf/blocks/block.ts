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

/** Types that ggml rounds activations to; those with 8 bits have blocks of 32 (Q8_0, Q8_1) or 256 (Q8_K) numbers. */
export type ActivationType = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q8_1' | 'Q8_K';

export interface BlockType {
  /** As GGUF tools print it: `Q4_0`. */
  readonly name: string;
  /** ggml's number for the type. */
  readonly id: number;
  /** Numbers in a block. */
  readonly size: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** What ggml's CPU rounds activations to before it multiplies them by weights of this type: its `vec_dot_type`. */
  readonly activations: ActivationType;
  /**
   * The block's fields in the order in which they lie on the device: all blocks' first field, then all blocks' second,
   * each run starting at a multiple of 16 bytes. Kernels in `kernels/blocks` read this.
   */
  readonly planes: readonly Plane[];
  /** Decodes `out.length` numbers (a multiple of `size`) from `bytes`, starting at `offset`. */
  dequantize(bytes: Uint8Array, offset: number, out: Float32Array): void;
}
