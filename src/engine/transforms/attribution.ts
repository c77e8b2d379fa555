/**
 * Direct logit attribution: how much each part of the residual stream adds to a token's logit, or to the difference of two
 * (Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; the difference: Wang et al. 2022,
 * arXiv:2211.00593). The stream is a sum, of the embedding and of what each layer's attention and feed-forward add, and but
 * for the final norm a logit is linear in it. So the norm's scale is frozen at what it is for that token's whole stream, and
 * its weight goes into the direction:
 *
 *   logit = (embd + Σ over i of attn_out-i + Σ over i of ffn_out-i) · direction / rms
 *   direction = output_norm ⊙ (row of the token − row of versus) of the output matrix
 *
 * A head's part is that of its columns of attn_output, times what it gathered: the direction is taken back through the
 * matrix once, instead of the heads through it one by one.
 */
import { StepError } from '../../errors.ts';
import type { LlamaConfig } from '../../llama/config.ts';
import { outputWeight } from '../../llama/forward.ts';
import type { Step } from '../../ops/step.ts';
import { singleToken } from '../../tokenizer/single_token.ts';
import type { Transform } from './transform.ts';

export interface AttributionOptions {
  /** Whose logit is taken apart: an id, or a text that is one token. */
  readonly token: number | string;
  /** Less the logit of this one; without it the token's own. */
  readonly versus?: number | string;
}

/**
 * Adds, for every token position:
 *
 *   attribution_embd     [token, 1]     what the embedding gives
 *   attribution_attn-i   [token, 1]     what attention of layer i adds, a bias of attn_output included
 *   attribution_heads-i  [token, head]  the same by head, without the bias
 *   attribution_ffn-i    [token, 1]     what the feed-forward of layer i adds
 *   attribution_rms      [token, 1]     the final norm's scale
 *
 * Divided by `attribution_rms`, which is known only at the end, the parts are logits and add up to the whole one. Applying
 * it throws UsageError where a text is not one token, StepError where an id is none.
 */
export function attribution({ token, versus }: AttributionOptions): Transform {
  return {
    name: 'attribution',
    params: { token, ...(versus === undefined ? {} : { versus }) },
    apply(steps, config, tokenizer) {
      const params = {
        token: idOf(token, config, tokenizer),
        ...(versus === undefined ? {} : { versus: idOf(versus, config, tokenizer) }),
      };
      const direction: Step = {
        ...{ name: DIRECTION, layer: null, op: 'logit_direction', params, dims: ['one', 'embd'] },
        inputs: { weight: outputWeight(config), norm: 'output_norm.weight' },
      };
      return steps.flatMap((step) => {
        const { name, layer } = step;
        if (name === 'embd') return [step, direction, dot('attribution_embd', null, name)];
        if (layer === null || name !== `l_out-${layer}`) return [step];
        return [step, ...layerSteps(layer, config), ...(layer === config.nLayer - 1 ? [rmsStep(config)] : [])];
      });
    },
  };
}

const DIRECTION = 'attribution_direction';

function idOf(token: number | string, { nVocab }: LlamaConfig, tokenizer: Parameters<Transform['apply']>[2]): number {
  const id = singleToken(token, tokenizer);
  if (Number.isInteger(id) && id >= 0 && id < nVocab) return id;
  throw new StepError(`Cannot attribute the logit of token ${id}: ids go from 0 to ${nVocab - 1}`);
}

function layerSteps(layer: number, { nHead }: LlamaConfig): Step[] {
  const headsDirection = `attribution_heads_direction-${layer}`;
  return [
    dot(`attribution_attn-${layer}`, layer, `attn_out-${layer}`),
    {
      ...{ name: headsDirection, layer, op: 'mul_mat_transposed', params: { heads: nHead } },
      inputs: { x: DIRECTION, weight: `blk.${layer}.attn_output.weight` },
      dims: ['one', 'head', 'dim'],
    },
    {
      ...{ name: `attribution_heads-${layer}`, layer, op: 'row_dot', params: {} },
      inputs: { x: `kqv_out-${layer}`, direction: headsDirection },
      dims: ['token', 'head'],
    },
    dot(`attribution_ffn-${layer}`, layer, `ffn_out-${layer}`),
  ];
}

function dot(name: string, layer: number | null, x: string): Step {
  return { name, layer, op: 'row_dot', inputs: { x, direction: DIRECTION }, params: {}, dims: ['token', 'one'] };
}

function rmsStep({ nLayer, eps }: LlamaConfig): Step {
  const inputs = { x: `l_out-${nLayer - 1}` };
  return { name: 'attribution_rms', layer: null, op: 'rms', inputs, params: { eps }, dims: ['token', 'one'] };
}
