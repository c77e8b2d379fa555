/** Opens a model file: what the page shows of it before anything runs. */

import type { Model } from '../../../engine/model.ts';
import type { LlamaConfig } from '../../../llama/config.ts';
import { ops } from '../../../ops/index.ts';
import type { Params } from '../../../ops/op.ts';
import type { Step } from '../../../ops/step.ts';
import { type Experiment, transformsOf } from '../experiment.ts';
import type { Request } from '../request.ts';

export interface OpenedModel {
  readonly file: string;
  readonly backend: { readonly name: string; readonly adapter: string };
  readonly config: LlamaConfig;
  /** Every step of a pass, in order, as the experiment's faults and changes leave them. */
  readonly steps: readonly StepCard[];
  /** What is not as it was asked for, a sentence or two: the reference backend in place of a GPU. Null where all is. */
  readonly notice: string | null;
}

/** A step without what it computed. */
export interface StepCard {
  readonly name: string;
  readonly layer: number | null;
  readonly op: string;
  readonly formula: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly params: Params;
  readonly dims: readonly string[];
  readonly hook: string | null;
  readonly hf: string | null;
}

type OpenParams = Pick<Experiment, 'file' | 'backend'> & Partial<Pick<Experiment, 'faults' | 'changes'>>;

export const open: Request<OpenParams, OpenedModel> = async (session, params) => {
  const { model: healthy, notice } = await session.opened(params);
  const { faults = [], changes = [] } = params;
  const model = healthy.with(...transformsOf({ faults, changes }));
  const { config, steps, backend } = model;
  return {
    file: params.file,
    backend: { name: backend.name, adapter: `${backend.adapter}` },
    config,
    steps: steps.map((step) => stepCard(step, model)),
    notice,
  };
};

export function stepCard({ name, layer, op, inputs, params, dims }: Step, { names }: Model): StepCard {
  const { hook, hf } = names.aliases(name);
  return { name, layer, op, formula: ops[op]?.formula ?? '', inputs, params, dims, hook, hf };
}
