/**
 * soft_max: y[h,t,j] = exp(scale · x[h,t,j]) / Σ over the keys that token t may see; exactly 0 for the others.
 *
 *   x, y   [head, token, key]  token t stands at position nPast + t and sees the keys up to there
 *   scale  1 / sqrt(headDim) in a Llama; positive
 *
 * Params that may be absent: mask, `causal` as above or `none`, where every token sees every key; ahead, so many keys more; pastMax,
 * the most tokens that are taken to stand before the pass. They are what engines get wrong (src/engine/faults).
 *
 * Source: Vaswani et al. 2017, arXiv:1706.03762.
 */
import type { Op, Params } from './op.ts';
import { cannotRun, numberParam, optionalNumber, pastOf, rowsOf, shapeOf, shapeText } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'soft_max';
/** Lanes per row of soft_max.wgsl, where the device is not a CPU. */
const LANES = 32;

export const softMax: Op = {
  name,
  formula: 'y = softmax(scale · x) over the keys up to nPast + t',
  inputs: { x: { kind: 'tensor' } },

  shape(shapes, params, { nTokens, nPast }) {
    const x = shapeOf(name, shapes, 'x', 3);
    positiveScale(params);
    keysOfFirst(params, nPast, x[2]!);
    if (x[1] !== nTokens || x[2] !== nPast + nTokens) {
      throw cannotRun(name, `x is ${shapeText(x)}; it must be [head, ${nTokens}, ${nPast + nTokens}] in this pass`);
    }
    return x;
  },

  reference({ tensors }, params, { nPast }) {
    const { shape, data: x } = tensors.x!;
    const [nHead, nTokens, nKeys] = shape as [number, number, number];
    const scale = positiveScale(params);
    const first = keysOfFirst(params, nPast, nKeys);
    const y = new Float64Array(x.length);
    for (let row = 0; row < nHead * nTokens; row++) {
      const start = row * nKeys;
      const end = start + Math.min(first + (row % nTokens), nKeys);
      let [max, sum] = [-Infinity, 0];
      for (let i = start; i < end; i++) max = Math.max(max, x[i]!);
      for (let i = start; i < end; i++) sum += y[i] = Math.exp(scale * (x[i]! - max));
      for (let i = start; i < end; i++) y[i]! /= sum;
    }
    return y;
  },

  dispatch({ output, params, pass, device }) {
    const [, nTokens, nKeys] = output as [number, number, number];
    const rows = rowsOf(output);
    return [
      {
        kernel: name,
        overrides: { LANES: lanesPerRow(LANES, device) },
        uniforms: [rows, nTokens, nKeys, keysOfFirst(params, pass.nPast, nKeys), { f32: positiveScale(params) }],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroups(rows, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};

/** How many of the keys the pass's first token sees; each later one sees one more, as far as there are any. */
function keysOfFirst(params: Params, nPast: number, nKeys: number): number {
  const { mask = 'causal' } = params;
  if (mask !== 'causal' && mask !== 'none') {
    throw cannotRun(name, `its param mask is ${mask}; it must be causal or none`);
  }
  const keys = mask === 'none' ? nKeys : pastOf(name, params, nPast) + 1 + optionalNumber(name, params, 'ahead', 0);
  if (Number.isInteger(keys) && keys >= 1) return keys;
  throw cannotRun(name, `its first token would see ${keys} keys; pastMax and ahead must leave it at least its own`);
}

/** The maximum is subtracted before scaling, which is only right for a positive scale. */
function positiveScale(params: Params): number {
  const scale = numberParam(name, params, 'scale');
  if (scale <= 0) throw cannotRun(name, `its param scale is ${scale}; it must be positive`);
  return scale;
}
