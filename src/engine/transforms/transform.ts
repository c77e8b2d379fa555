/**
 * A transform changes what is computed: it takes the list of steps and gives another. Transforms compose in order, and
 * the manifest lists them, so two runs with different ones are never taken for the same experiment.
 */
import type { BlockTypeName } from '../../gguf/blocks/index.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import type { Params } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';

/** The block type of a weight by its GGUF name; undefined where the file has no such weight. */
export type WeightType = (weight: string) => BlockTypeName | undefined;

export interface Transform {
  readonly name: string;
  readonly params: Params;
  apply(
    steps: readonly Step[],
    config: LlamaConfig,
    tokenizer: Pick<Tokenizer, 'encode' | 'piece'>,
    weightType: WeightType,
  ): Step[];
}

/** A name for what is made of a step's output: `attn_norm-0` with `q8_0` is `attn_norm_q8_0-0`. */
export function derivedName(name: string, suffix: string): string {
  return name.replace(/(-\d+)?$/, (layer) => `_${suffix}${layer}`);
}
