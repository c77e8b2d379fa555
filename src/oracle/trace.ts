/** What llama.cpp computed, as plain data: every value of its graph by name, and which of them are ours. */

/** One value, contiguous, its shape outermost first. */
export interface OracleTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** 0 for the first call of llama_decode. */
  readonly pass: number;
}

/** A node of llama.cpp's graph that has no name of ours. */
export interface OracleNode {
  readonly name: string;
  /** As ggml prints it: `MUL_MAT`, `SWIGLU`. */
  readonly op: string;
  /** 0 for the first node of this name and op in its pass. */
  readonly occurrence: number;
  readonly pass: number;
  readonly shape: readonly number[];
  /** null for a view and a write to the cache, whose numbers are another node's, and for types other than F32, F16, I32. */
  readonly data: Float32Array | null;
}

export interface OraclePass {
  readonly tokens: readonly number[];
  /** The position of its first token. */
  readonly pos0: number;
  readonly tensors: ReadonlyMap<string, OracleTensor>;
  readonly unmapped: readonly OracleNode[];
}

export interface OracleVersions {
  readonly llama: string;
  readonly ggml: string;
  readonly commit: string;
  /** File name of the CPU backend's library, for instance `libggml-cpu-zen4.so`. */
  readonly backend: string;
  /** The version of `@node-llama-cpp/<platform>`; null for a folder named by the caller. */
  readonly package: string | null;
}

export interface OracleTrace {
  /** All ids, of every pass. */
  readonly tokens: readonly number[];
  /** By our name, the value of the last pass. */
  readonly tensors: ReadonlyMap<string, OracleTensor>;
  /** Of every pass. */
  readonly unmapped: readonly OracleNode[];
  readonly passes: readonly OraclePass[];
  readonly versions: OracleVersions;
}
