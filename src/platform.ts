/**
 * What the core needs from its host: bytes of a file, kernel text, a GPU. Node and the browser each give one `Platform`;
 * nothing else below `src/index.ts` knows where it runs.
 */

/** A file read by range, never whole: a file on disk, a Blob, or bytes in memory. */
export interface ByteSource {
  /** What errors call it: a path or a file name. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`. Throws where the range is not inside the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The text of `kernels/<name>.wgsl`, for instance `rope` or `blocks/q4_0`. */
export type KernelText = (name: string) => Promise<string>;

/** A WebGPU device with the adapter it came from, and how to wait for it without burning a core. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  /** Smallest and largest subgroup size; null where the device has no `subgroups` feature. */
  readonly subgroups: { readonly min: number; readonly max: number } | null;
}

export interface Platform {
  readonly kernel: KernelText;
  /** Throws DeviceError, naming the cure, where there is no usable adapter. */
  gpu(): Promise<Gpu>;
}
