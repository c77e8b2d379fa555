/**
 * Faults by name: mistakes that engines make, put into ours so that they can be studied and found again. `model.with(fault('rope-pairing'))`
 * has one, and the model that it was made of stays as it is. To add a fault: a file here, a line in the table, a run of the test.
 */
import { UsageError } from '../../errors.ts';
import { nearest } from '../../llama/names.ts';
import type { Params } from '../../ops/op.ts';
import type { Transform } from '../transforms/transform.ts';
import { attentionScaleMissing } from './attention_scale_missing.ts';
import { attentionScaleWrong } from './attention_scale_wrong.ts';
import { bosDoubled } from './bos_doubled.ts';
import { bosMissing } from './bos_missing.ts';
import { mustGoTogether } from './contradiction.ts';
import { decodePosition } from './decode_position.ts';
import { embeddingOffByOne } from './embedding_off_by_one.ts';
import { f16Accumulation } from './f16_accumulation.ts';
import type { Fault } from './fault.ts';
import { withFaultyWeights } from './faulty_weights.ts';
import { gateUpSwapped } from './gate_up_swapped.ts';
import { geluForSilu } from './gelu_for_silu.ts';
import { gqaTiled } from './gqa_tiled.ts';
import { headsNotMerged } from './heads_not_merged.ts';
import { kRowsPermuted } from './k_rows_permuted.ts';
import { kvCacheOffByOne } from './kv_cache_off_by_one.ts';
import { kvCacheWrongLayer } from './kv_cache_wrong_layer.ts';
import { kvPosClamp } from './kv_pos_clamp.ts';
import { lastRow } from './last_row.ts';
import { layerNormForRmsNorm } from './layer_norm_for_rms_norm.ts';
import { layerSkipped } from './layer_skipped.ts';
import { layersSwapped } from './layers_swapped.ts';
import { lmHeadTransposed } from './lm_head_transposed.ts';
import { maskOffByOne } from './mask_off_by_one.ts';
import { maskWithoutPast } from './mask_without_past.ts';
import { nibblesSwapped } from './nibbles_swapped.ts';
import { noCausalMask } from './no_causal_mask.ts';
import { normEps } from './norm_eps.ts';
import { normWeightMissing } from './norm_weight_missing.ts';
import { normWeightPlusOne } from './norm_weight_plus_one.ts';
import { outputNormMissing } from './output_norm_missing.ts';
import { checkedParams } from './params.ts';
import { positionRestarts } from './position_restarts.ts';
import { changesAt, faultyWeights, siteOf, withChanges } from './put.ts';
import { residualDoubled } from './residual_doubled.ts';
import { residualMissing } from './residual_missing.ts';
import { residualNormed } from './residual_normed.ts';
import { ropeBase } from './rope_base.ts';
import { ropeDim } from './rope_dim.ts';
import { ropeExponentSign } from './rope_exponent_sign.ts';
import { ropeMissing } from './rope_missing.ts';
import { ropeOnV } from './rope_on_v.ts';
import { ropePairing } from './rope_pairing.ts';
import { ropeScalingIgnored } from './rope_scaling_ignored.ts';
import { sigmoidForSilu } from './sigmoid_for_silu.ts';
import { siluZero } from './silu_zero.ts';
import { softmaxWithoutMax } from './softmax_without_max.ts';
import { staleBuffer } from './stale_buffer.ts';
import { tiedByMistake } from './tied_by_mistake.ts';
import { tiedEmbeddingIgnored } from './tied_embedding_ignored.ts';
import { vNotTransposed } from './v_not_transposed.ts';
import { valueFromKeyCache } from './value_from_key_cache.ts';
import { wrongChatTemplate } from './wrong_chat_template.ts';

export type { Case, Effect, Fault, Hit, Probe, Translation } from './fault.ts';
export { type Page, type PageParam, pageOf, type Shown } from './page.ts';

/** Every fault, in the order of a pass: prompt and weights first, then what a layer computes, then what comes after. */
export const faults: readonly Fault[] = [
  bosMissing,
  bosDoubled,
  wrongChatTemplate,
  embeddingOffByOne,
  nibblesSwapped,
  kRowsPermuted,
  layersSwapped,
  layerSkipped,
  normEps,
  normWeightMissing,
  normWeightPlusOne,
  layerNormForRmsNorm,
  staleBuffer,
  f16Accumulation,
  ropePairing,
  ropeExponentSign,
  ropeBase,
  ropeDim,
  ropeScalingIgnored,
  ropeMissing,
  ropeOnV,
  decodePosition,
  positionRestarts,
  kvCacheOffByOne,
  kvCacheWrongLayer,
  valueFromKeyCache,
  kvPosClamp,
  gqaTiled,
  attentionScaleMissing,
  attentionScaleWrong,
  noCausalMask,
  maskOffByOne,
  maskWithoutPast,
  softmaxWithoutMax,
  vNotTransposed,
  headsNotMerged,
  residualMissing,
  residualDoubled,
  residualNormed,
  siluZero,
  sigmoidForSilu,
  geluForSilu,
  gateUpSwapped,
  outputNormMissing,
  lmHeadTransposed,
  tiedEmbeddingIgnored,
  tiedByMistake,
  lastRow,
];

/** The fault of that name, with its page. Throws UsageError with the names most like it where there is none. */
export function faultNamed(name: string): Fault {
  const found = faults.find((known) => known.name === name);
  if (found) return found;
  const near = nearest(
    faults.map((known) => known.name),
    name,
  );
  throw new UsageError(
    `Cannot make fault ${JSON.stringify(name)}: there is none of that name; nearest are ${near.join(', ')}. ` +
      '"layerscope faults" lists all',
  );
}

/**
 * A fault to put into a model: `model.with(fault('rope-base', { base: 1e6, layer: 3 }))`. Throws UsageError where there is no such
 * fault or parameter. Putting it into a model throws UsageError where that has no such layer or head, is of a kind that cannot
 * have the fault, or has another that changes the same.
 */
export function fault(name: string, params: Params = {}): Transform {
  const found = faultNamed(name);
  const checked = checkedParams(name, found.params, params);
  const { tokenize } = found;
  return {
    name,
    params: checked,
    apply(steps, config, _tokenizer, weightType, before = []) {
      const putOf = (put: Fault, given: Params) => {
        const site = siteOf(put.name, given, config, weightType);
        return { fault: put, site, changes: Object.fromEntries(changesAt(put, site)) };
      };
      const added = putOf(found, checked);
      for (const { name: other, params: given } of before) {
        const there = faults.find((known) => known.name === other);
        if (there) mustGoTogether(putOf(there, given), added);
      }
      return withChanges(found, added.site, steps);
    },
    weights(source, config) {
      const made = faultyWeights(
        found,
        siteOf(name, checked, config, (weight) => source.info(weight)?.type),
      );
      return made.size === 0 ? source : withFaultyWeights(source, made);
    },
    ...(tokenize ? { tokenize: (before, tokenizer) => tokenize(before, tokenizer, checked) } : {}),
  };
}
