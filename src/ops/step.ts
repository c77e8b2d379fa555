/**
 * A forward pass is a list of named steps; this is what one step is. `src/llama/forward.ts` writes the list, everything
 * else reads it. See "One idea" in the README.
 */
import type { Params, Pass, Shape } from './op.ts';

/** What the host makes of a step's output, row-major f32 of `shape`, before anything reads it; as many numbers again. */
export type Edit = (
  output: { readonly shape: Shape; readonly data: Float32Array },
  pass: Pass,
) => Promise<Float32Array>;

/** What a kernel that stops too early leaves of its output as it was. */
export interface Unwritten {
  /** How much of the output that is, of 1, from its end; one element at least. */
  readonly share: number;
  /**
   * Draws the numbers that lie there. Without it that is what the memory held: the output of some earlier step, or zeros where
   * it was not used before.
   */
  readonly seed?: number;
}

export interface Step {
  /** llama.cpp's tensor name with its layer: `attn_norm-0`. One value, one name. */
  readonly name: string;
  readonly layer: number | null;
  /** A key of the op table. */
  readonly op: string;
  /** By role: an earlier step's name, a weight's GGUF name, or `tokens`. A cache slot's name for roles of kind `cache`. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly params: Params;
  /** The output's axes, outermost first: `['token', 'head', 'dim']`. */
  readonly dims: readonly string[];
  /** The cache slot that this step's output is appended to, for instance `cache_k-0`. */
  readonly writes?: string;
  /** Changes the output after the op has computed it. It and `cached` are functions; all else in a step is plain data. */
  readonly edit?: Edit;
  /**
   * The position whose row of a cache slot the step finds where it looks for that of `position`; one that is in the cache. A
   * fault of the cache: what was written stays as it is.
   */
  readonly cached?: (position: number, pass: Pass) => number;
  /** A fault of the buffer pool. */
  readonly unwritten?: Unwritten;
}
