/** The logit lens: observer steps that read, after each layer, what the model would say if it stopped there. */
import { StepError } from '../../errors.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import { outputWeight } from '../../llama/forward.ts';
import type { Step } from '../../ops/step.ts';
import type { Transform } from './transform.ts';

export interface LensOptions {
  /** After which layers; all by default. */
  readonly layers?: readonly number[];
  /** How many tokens to name at each position. Default 5. */
  readonly k?: number;
  /** Apply the model's final norm before the output matrix. Default true. */
  readonly norm?: boolean;
}

/**
 * The logit lens (nostalgebraist 2020): what the model would say if it stopped after a layer. Adds, after each layer i,
 * `lens_logits-i` [token, vocab], `lens_ids-i`, `lens_values-i` and `lens_probabilities-i` [token, k], and
 * `lens_entropy-i` [token, 1] in nats.
 */
export function lens({ layers, k = 5, norm = true }: LensOptions = {}): Transform {
  return {
    name: 'lens',
    params: { ...(layers ? { layers } : {}), k, norm },
    apply(steps, config) {
      const wanted = layers ?? Array.from({ length: config.nLayer }, (_, i) => i);
      const outside = wanted.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= config.nLayer);
      if (outside !== undefined) {
        throw new StepError(`Cannot put a lens after layer ${outside}: the model has layers 0 to ${config.nLayer - 1}`);
      }
      if (!Number.isInteger(k) || k < 1 || k > config.nVocab) {
        throw new StepError(`Cannot put a lens with k = ${k}: it must be from 1 to the vocabulary's ${config.nVocab}`);
      }
      return steps.flatMap((step) => {
        const { layer } = step;
        const isHere = layer !== null && step.name === `l_out-${layer}` && wanted.includes(layer);
        return isHere ? [step, ...lensSteps(layer, config, k, norm)] : [step];
      });
    },
  };
}

function lensSteps(layer: number, config: LlamaConfig, k: number, norm: boolean): Step[] {
  const name = (part: string) => `lens_${part}-${layer}`;
  const ranked = ['token', 'rank'];
  const residual = `l_out-${layer}`;
  const x = norm ? name('norm') : residual;
  const steps: Step[] = [
    {
      name: name('logits'),
      layer,
      op: 'mul_mat',
      inputs: { x, weight: outputWeight(config) },
      params: {},
      dims: ['token', 'vocab'],
    },
    { name: name('ids'), layer, op: 'top_k_ids', inputs: { x: name('logits') }, params: { k }, dims: ranked },
    {
      name: name('values'),
      layer,
      op: 'take',
      inputs: { x: name('logits'), ids: name('ids') },
      params: {},
      dims: ranked,
    },
    {
      name: name('lse'),
      layer,
      op: 'log_sum_exp',
      inputs: { x: name('logits') },
      params: {},
      dims: ['token', 'one'],
    },
    {
      name: name('probabilities'),
      layer,
      op: 'probability',
      inputs: { x: name('values'), log_sum_exp: name('lse') },
      params: {},
      dims: ranked,
    },
    {
      name: name('entropy'),
      layer,
      op: 'entropy',
      inputs: { x: name('logits') },
      params: {},
      dims: ['token', 'one'],
    },
  ];
  if (!norm) return steps;
  const inputs = { x: residual, weight: 'output_norm.weight' };
  return [{ name: x, layer, op: 'rms_norm', inputs, params: { eps: config.eps }, dims: ['token', 'embd'] }, ...steps];
}
