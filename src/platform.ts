/**
 * What the core needs from its host: bytes of a file, kernel text, a GPU, the time, a place to write. Node and the browser each give one `Platform`;
 * nothing else below `src/index.ts` knows where it runs.
 */

/** A file read by range, never whole: a file on disk, a Blob, or bytes in memory. */
export interface ByteSource {
  /** What errors call it: a path or a file name. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`; they may lie in `into`, where that is given and long enough. Throws where the
   * range is not inside the file.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The text of `kernels/<name>.wgsl`, for instance `rope` or `blocks/q4_0`. */
export type KernelText = (name: string) => Promise<string>;

/** A WebGPU device with the adapter it came from, and how to wait for it. */
export interface Gpu {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  /** Smallest and largest subgroup size; null where the device has no `subgroups` feature. */
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  /** Awaits a promise of the device in the way that costs this host least. */
  settle<T>(pending: Promise<T>): Promise<T>;
}

/** How far long work is. */
export interface Progress {
  /** What is done: `running`, `drawing tokens`, `uploading weights`, `writing run.arrow`. */
  readonly task: string;
  /** What of it was done last: a step, a drawn token, a weight. */
  readonly item: string;
  /** How many units are done, of how many; the last call of a task that was not stopped has them equal. */
  readonly done: number;
  readonly total: number;
  /** What is counted, in the plural: `steps`, `tokens`, `bytes`. */
  readonly unit: string;
}

/** Who watches long work: what stops it, and who is told how far it is. */
export interface Watch {
  /** Stops the work as soon as it can be; it throws InterruptedError, what is done stays, and the next call goes on from there. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Platform {
  readonly kernel: KernelText;
  /** Throws DeviceError, naming the cure, where there is no usable adapter. */
  gpu(): Promise<Gpu>;
  /** The time, for manifests; nothing else depends on it. */
  now(): Date;
  /**
   * Who watches work that begins now, for a host that stops all of it in one way, as a notebook does its cells. Its signal
   * stops the work as well as one that the caller gave; its `onProgress` is told where the caller gave none.
   */
  watch?(): Watch;
  /**
   * Makes a file of what `fill` writes, in order, and returns its size in bytes. The file appears under its name when it is
   * whole; where anything fails, `fill` included, there is none. Throws TraceError, naming the cure, where it cannot.
   */
  writeFile(path: string, fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>): Promise<number>;
}
