/**
 * A transform changes what is computed: it takes the list of steps and gives another. Transforms compose in order, and
 * the manifest lists them, so two runs with different ones are never taken for the same experiment.
 */
import type { LlamaConfig } from '../../llama/config.ts';
import type { Params } from '../../ops/op.ts';
import type { Step } from '../../ops/step.ts';
import type { Tokenizer } from '../../tokenizer/tokenizer.ts';

export interface Transform {
  readonly name: string;
  readonly params: Params;
  apply(steps: readonly Step[], config: LlamaConfig, tokenizer: Pick<Tokenizer, 'encode' | 'piece'>): Step[];
}
