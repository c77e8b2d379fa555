/**
 * soft_max_unshifted: soft_max without the maximum subtracted first: y[h,t,j] = exp(scale · x[h,t,j]) / Σ over the keys that token
 * t may see. Where it does not overflow that is the same but for rounding. Where scale · x is above `overflow`, exp is
 * infinite: that element becomes NaN, as infinity over infinity is, and the others of its row 0.
 *
 *   x, y      [head, token, key]  token t stands at position nPast + t and sees the keys up to there
 *   scale     1 / sqrt(headDim) in a Llama
 *   overflow  88.72, ln of the largest f32, in an engine that computes exp in f32; 11.09 in one that computes it in f16
 */
import type { Op } from './op.ts';
import { numberParam, rowsOf } from './shape.ts';
import { softMax } from './soft_max.ts';
import { lanesPerRow, workgroups } from './workgroups.ts';

const name = 'soft_max_unshifted';
/** Lanes per row of soft_max_unshifted.wgsl, where the device is not a CPU. */
const LANES = 32;

export const softMaxUnshifted: Op = {
  name,
  formula: 'y = exp(scale · x) / Σ of it over the keys up to nPast + t',
  inputs: { x: { kind: 'tensor' } },

  shape(shapes, params, pass) {
    numberParam(name, params, 'overflow');
    return softMax.shape(shapes, params, pass);
  },

  reference({ tensors }, params, { nPast }) {
    const { shape, data: x } = tensors.x!;
    const [nHead, nTokens, nKeys] = shape as [number, number, number];
    const [scale, overflow] = [numberParam(name, params, 'scale'), numberParam(name, params, 'overflow')];
    const exp = (score: number) => (scale * score > overflow ? Number.POSITIVE_INFINITY : Math.exp(scale * score));
    const y = new Float64Array(x.length);
    for (let row = 0; row < nHead * nTokens; row++) {
      const start = row * nKeys;
      const end = start + nPast + (row % nTokens) + 1;
      let sum = 0;
      for (let i = start; i < end; i++) sum += y[i] = exp(x[i]!);
      for (let i = start; i < end; i++) y[i]! /= sum;
    }
    return y;
  },

  dispatch({ output, params, pass, device }) {
    const [, nTokens, nKeys] = output as [number, number, number];
    const [scale, overflow] = [numberParam(name, params, 'scale'), numberParam(name, params, 'overflow')];
    const rows = rowsOf(output);
    return [
      {
        kernel: name,
        overrides: { LANES: lanesPerRow(LANES, device) },
        uniforms: [rows, nTokens, nKeys, pass.nPast, { f32: scale }, { f32: overflow }],
        bindings: [{ role: 'x' }, { role: 'output' }],
        workgroups: workgroups(rows, device),
      },
    ];
  },

  /** exp of a large score carries the rounding of the score: 2⁻²⁴ of at most `overflow`, which is 5e-6. */
  tolerance: () => 1e-5,
};
