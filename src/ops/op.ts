/**
 * What an op is: its formula, its shape rule, its f64 reference and the kernel calls that compute it on a device.
 * One file per op; `src/ops/index.ts` is the table. Backends interpret this and never ask which op they hold.
 */

/** Sizes, outermost first: `[token, head, dim]`. */
export type Shape = readonly number[];

/** One forward pass over `nTokens` tokens, of which the first stands at position `nPast`. */
export interface Pass {
  readonly nTokens: number;
  readonly nPast: number;
}

/** Constants of a step: eps, head counts, RoPE settings. Plain data, so that a manifest can hold them. */
export type Params = Readonly<Record<string, number | string | boolean | readonly number[]>>;

/**
 * tensor: an earlier step's output. weight: a tensor of the model file. tokens: the pass's token ids, `[token]`.
 * cache: the whole of a cache slot up to and with this pass, `[nPast + nTokens, ...]`.
 * table: computed on the host by the op's own `table`, for instance RoPE's cosines and sines.
 */
export type InputKind = 'tensor' | 'weight' | 'tokens' | 'cache' | 'table';

export interface InputRule {
  readonly kind: InputKind;
  readonly optional?: boolean;
}

/** A value the reference reads: row-major, f64 or f32 (token ids: exact integers). */
export interface Values {
  readonly shape: Shape;
  readonly data: Float64Array | Float32Array;
}

/** A weight as the reference reads it: `rows(i, n)` dequantises rows i … i+n-1, each `shape.at(-1)` long. */
export interface WeightRows {
  readonly shape: Shape;
  rows(start: number, count: number): Float32Array;
}

export interface ReferenceInputs {
  readonly tensors: Readonly<Record<string, Values>>;
  readonly weights: Readonly<Record<string, WeightRows>>;
  /** Awaited now and then by an op that may take seconds, so that others have a turn; where it throws, the op is over. */
  readonly pause?: () => Promise<void>;
}

/** Where a kernel reads from: a storage buffer, or a texture whose texels are the buffer's quads of words. */
export type Storage = 'buffer' | 'texture';

/** A weight as it lies on the device: row ranges, each in memory of its own (see `planes` in src/gguf/blocks). */
export interface DeviceWeight {
  readonly type: string;
  /** Of packed matrices; a vector is always a buffer of f32. */
  readonly storage: Storage;
  /** `[rows, columns]`; a vector has one row. */
  readonly shape: readonly [number, number];
  readonly chunks: readonly { readonly row0: number; readonly rows: number }[];
}

/** What an op may ask of the device when it chooses a kernel and its overrides. */
export interface DeviceTraits {
  /** Size of a subgroup where it is the same for every kernel, else 0: kernels then use workgroup memory. */
  readonly subgroupSize: number;
  readonly maxWorkgroupsPerDimension: number;
  readonly maxInvocationsPerWorkgroup: number;
  readonly maxWorkgroupStorageBytes: number;
  /** What lanes load fastest from: lavapipe loads 128 bits at a time from a texture, 32 from a buffer. */
  readonly fastStorage: Storage;
}

export interface DispatchRequest {
  /** Shape of each input by role (tensors, tokens, caches, tables); an absent optional input is absent here. */
  readonly shapes: Readonly<Record<string, Shape>>;
  readonly weights: Readonly<Record<string, DeviceWeight>>;
  /** Shape of the output. */
  readonly output: Shape;
  readonly params: Params;
  readonly pass: Pass;
  readonly device: DeviceTraits;
}

/**
 * What a call reads or writes: an input's role, or 'output'; for a weight the chunk. A tensor may be asked for as a texture of
 * quads of f32 (kernels/parts/texels.wgsl); the backend then copies it.
 */
export interface Binding {
  readonly role: string;
  readonly chunk?: number;
  readonly storage?: Storage;
}

/** A number in the uniform block, four bytes each: u32 as it is, or `{ f32 }`. */
export type Uniform = number | { readonly f32: number };

/**
 * One dispatch. `kernel` names `kernels/<kernel>.wgsl`, whose entry point is the last part of that name.
 * Binding 0 is the uniform block `p` (see `uniforms`), bindings 1, 2, … are `bindings` in order; the kernel declares
 * them itself. `block` is linked in from `kernels/blocks/<block>.wgsl`, `parts` from `kernels/parts/`: those of which one of
 * several is to be chosen.
 */
export interface KernelCall {
  readonly kernel: string;
  readonly block?: string;
  readonly parts?: readonly string[];
  /** WGSL `override` constants; part of the pipeline's identity, so few distinct values. */
  readonly overrides?: Readonly<Record<string, number>>;
  readonly uniforms: readonly Uniform[];
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [number, number, number];
}

export interface Op {
  readonly name: string;
  /** The formula as one line of text, for errors, charts and docs. */
  readonly formula: string;
  readonly inputs: Readonly<Record<string, InputRule>>;
  /** The output's shape; throws where the inputs do not fit together. Weights are given as `[rows, columns]`. */
  shape(shapes: Readonly<Record<string, Shape>>, params: Params, pass: Pass): Shape;
  /** The oracle: plain f64, no tricks. */
  reference(inputs: ReferenceInputs, params: Params, pass: Pass): Float64Array | Promise<Float64Array>;
  dispatch(request: DispatchRequest): readonly KernelCall[];
  /** Host-computed input of kind `table`, in f64; a backend rounds it to f32 where it must. */
  table?(params: Params, pass: Pass, weights: Readonly<Record<string, WeightRows>>): Values;
  /** Relative RMS error allowed between `webgpu` and `reference` on identical inputs, with its source in the op's file. */
  tolerance(shapes: Readonly<Record<string, Shape>>): number;
}
