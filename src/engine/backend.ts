/**
 * What a backend is: it runs steps and keeps their outputs. It interprets the op table and never asks which op it holds.
 */
import type { Pass, Shape } from '../ops/op.ts';
import type { Step } from '../ops/step.ts';
import type { Watch } from '../platform.ts';
import type { Statistics } from '../trace/statistics.ts';
import type { Stop } from './watched.ts';
import type { WeightSource } from './weight_store.ts';

/** One forward pass over some of a run's tokens; passes are numbered from 0. */
export interface PassState extends Pass {
  readonly index: number;
  readonly tokens: readonly number[];
}

/** Which outputs somebody looks at. What nobody looks at may be fused away and its memory used again. */
export interface Observed {
  values(name: string): boolean;
  statistics(name: string): boolean;
}

export interface ExecuteRequest {
  readonly pass: PassState;
  /** The pass's whole list; steps from … to-1 are run. */
  readonly steps: readonly Step[];
  readonly from: number;
  readonly to: number;
  readonly observed: Observed;
  readonly stop?: Stop | undefined;
  /** Told of weights on their way to where the steps run. */
  readonly onUpload?: Watch['onProgress'];
  /** Called as steps complete, with the index of the first step not yet done. */
  readonly onDone?: ((done: number) => void | Promise<void>) | undefined;
}

/** A step's output on the host: row-major f32. */
export interface Output {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** The state of one run on one backend: outputs of its steps, and its cache slots. */
export interface Session {
  /** Runs steps; returns the index of the first step not done (less than `to` after an abort). */
  execute(request: ExecuteRequest): Promise<number>;
  /** True while the output can be read without computing anything. */
  has(pass: number, name: string): boolean;
  /** The output, or only `count` rows of its first axis from `start`. Call only where `has` is true. */
  read(pass: number, name: string, rows?: { readonly start: number; readonly count: number }): Promise<Output>;
  /** Replaces an output that `has`, and the cache rows it was written to. */
  write(pass: PassState, step: Step, data: Float32Array): Promise<void>;
  statistics(pass: number, name: string): Statistics | null;
  shape(pass: number, name: string): Shape | null;
  /** Drops the outputs of steps from `from` on in pass `pass`, and everything of later passes. */
  rewind(pass: number, steps: readonly Step[], from: number): void;
  /** Values kept now, in bytes, and tensors whose values were let go to stay within the budget. */
  usage(): { readonly bytes: number; readonly dropped: number };
  close(): void;
}

/** A step of which somebody asks how it is computed. */
export interface KernelRequest extends Pick<ExecuteRequest, 'pass' | 'steps' | 'observed'> {
  readonly name: string;
}

/** How a step is computed. */
export interface StepKernels {
  /** The names of the steps that are computed at once with it, its own among them. */
  readonly together: readonly string[];
  /** In the order of their dispatches; empty where no kernels run. */
  readonly kernels: readonly RunKernel[];
}

/** One dispatch, as the device is given it. */
export interface RunKernel {
  /** The kernel's file and the block type that was linked in: `mul_mat q8_0`. */
  readonly name: string;
  /** WGSL, linked. */
  readonly code: string;
  /** Its `override` constants. */
  readonly overrides: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
}

export interface Backend {
  readonly name: 'webgpu' | 'reference';
  /** For the manifest: the adapter, or what computes. */
  readonly adapter: string;
  /** For the manifest: what else decides the bits of a pass, which is the plan and the kernels' variants. Plain data. */
  plan(steps: readonly Step[], observed: Observed): Readonly<Record<string, unknown>>;
  /** How it computes a step where a whole pass is run at once. */
  kernels(request: KernelRequest): Promise<StepKernels>;
  /** The most tokens one pass may have where the largest output has `largestRow` values a token, so that it fits the device. */
  maxPassTokens(largestRow: number): number;
  /** A backend with the same memory for a source that has more weights than this one's; what both have is the same. */
  over(weights: WeightSource): Backend;
  /**
   * `fill` are words, repeated, that lie in an output's memory, padding included, before its step runs, and in what is unused
   * of the cache. A backend that makes new memory for every value has no use for them.
   */
  session(budgetBytes: number, fill?: Uint32Array): Session;
  /** Gives the weights' memory back; sessions must be closed first. */
  close(): Promise<void>;
}
