/** What a bind group's entry holds. */

/** A piece of a buffer that a kernel reads or writes. */
export interface BoundPiece {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

export type Bound = BoundPiece | GPUTextureView;
