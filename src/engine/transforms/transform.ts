/**
 * A transform changes what is computed: it takes the list of steps and gives another. Transforms compose in order, and
 * the manifest lists them, so two runs with different ones are never taken for the same experiment.
 */
import type { BlockTypeName } from '../../gguf/blocks/index.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import type { Params } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';
import type { WeightSource } from '../weight_store.ts';

/** The block type of a weight by its GGUF name; undefined where the file has no such weight. */
export type WeightType = (weight: string) => BlockTypeName | undefined;

export interface TokenizeOptions {
  /** Begin with BOS; by default as the model's metadata says. */
  readonly bos?: boolean;
  /** Put the text into the model's chat template as the user's message, ready for the answer. */
  readonly chat?: boolean;
}

/** Token ids of a text. */
export type Tokenize = (text: string, options: TokenizeOptions) => number[];

export interface Transform {
  readonly name: string;
  readonly params: Params;
  /** `before`: the transforms that the model has already. */
  apply(
    steps: readonly Step[],
    config: LlamaConfig,
    tokenizer: Pick<Tokenizer, 'encode' | 'piece'>,
    weightType: WeightType,
    before?: readonly Transform[],
  ): Step[];
  /** Weights under names of their own, beside those of the source, for the steps that `apply` gives. The source's stay as they are. */
  weights?(source: WeightSource, config: LlamaConfig): WeightSource;
  /** What becomes of a text; token ids that a run is started with are taken as they are. */
  tokenize?(tokenize: Tokenize, tokenizer: Tokenizer): Tokenize;
}

/** A name for what is made of a step's output: `attn_norm-0` with `q8_0` is `attn_norm_q8_0-0`. */
export function derivedName(name: string, suffix: string): string {
  return name.replace(/(-\d+)?$/, (layer) => `_${suffix}${layer}`);
}
