/**
 * rope: turns pairs of dimensions by an angle that grows with the token's position.
 *
 *   x, y     [token, head, dim]
 *   factors  [1, dimRot / 2]    optional, GGUF's rope_freqs.weight: divides each pair's frequency (Llama 3.1 and later)
 *   table    [token, dimRot / 2, 2]  cos and sin of angle[t, i] = position(t) · freqScale · freqBase^(-2i / dimRot) / factors[i]
 *
 *   y[first] = x[first] · cos - x[second] · sin      y[second] = x[first] · sin + x[second] · cos
 *
 * Params: freqBase; freqScale (1, or 1 / s for linear scaling by s); dimRot, even, dimensions from there on are copied;
 * pairing: `neighbours` pairs (2i, 2i+1) as Llama in GGUF does, `halves` pairs (i, i + dimRot/2) as Hugging Face does;
 * positionOffset, added to every position (0 where absent), and decodeOffset, added in passes that follow another; pastMax, the
 * most tokens that are taken to stand before a pass (all where absent); angles: `exact`, as above in f64 (so where absent), or
 * `recurrence`, as ggml's CPU has it: all in f32, and from one pair to the next the angle is multiplied by freqBase^(-2 / dimRot).
 * That is off by 6e-8 at position 7, 5e-6 at 511, 5e-5 at 4,095.
 * Source: Su et al. 2021, arXiv:2104.09864; linear scaling: Chen et al. 2023, arXiv:2306.15595; recurrence:
 * ggml_rope_cache_init of ggml's CPU backend.
 */
import type { Op, Params, Pass } from './op.ts';
import { cannotRun, columnsOf, numberParam, optionalNumber, pastOf, shapeOf, shapeText, sizeOf } from './shape.ts';
import { elementwiseTolerance } from './tolerance.ts';
import { workgroupsPerElement } from './workgroups.ts';

const name = 'rope';

export const rope: Op = {
  name,
  formula:
    'y = (x₀ cos θ - x₁ sin θ, x₀ sin θ + x₁ cos θ) for each pair, θ = position · freqScale · freqBase^(-2i/dimRot)',
  inputs: {
    x: { kind: 'tensor' },
    factors: { kind: 'weight', optional: true },
    table: { kind: 'table' },
  },

  shape(shapes, params, pass) {
    const x = shapeOf(name, shapes, 'x', 3);
    const dimRot = evenDimRot(params);
    if (dimRot > columnsOf(x)) {
      throw cannotRun(name, `x is ${shapeText(x)}; dimRot is ${dimRot} and must not exceed its last axis`);
    }
    if (x[0] !== pass.nTokens) {
      throw cannotRun(name, `x is ${shapeText(x)}; the pass has ${pass.nTokens} tokens`);
    }
    if (shapes.factors && columnsOf(shapes.factors) !== dimRot / 2) {
      throw cannotRun(name, `factors is ${shapeText(shapes.factors)}; it must hold dimRot / 2 = ${dimRot / 2} numbers`);
    }
    distanceInPair(params);
    anglesOf(params);
    return x;
  },

  table(params, pass, weights) {
    const pairs = evenDimRot(params) / 2;
    const factors = weights.factors?.rows(0, 1);
    const data = new Float64Array(pass.nTokens * pairs * 2);
    for (let t = 0; t < pass.nTokens; t++) {
      for (const [i, angle] of anglesAt(position(t, params, pass), params, factors).entries()) {
        data[2 * (t * pairs + i)] = Math.cos(angle);
        data[2 * (t * pairs + i) + 1] = Math.sin(angle);
      }
    }
    return { shape: [pass.nTokens, pairs, 2], data };
  },

  reference({ tensors }, params) {
    const { shape, data: x } = tensors.x!;
    const table = tensors.table!.data;
    const [nTokens, nHead, dim] = shape as [number, number, number];
    const [pairs, distance] = [evenDimRot(params) / 2, distanceInPair(params)];
    const y = Float64Array.from(x);
    for (let row = 0; row < nTokens * nHead; row++) {
      const token = Math.floor(row / nHead);
      for (let i = 0; i < pairs; i++) {
        const [cos, sin] = [table[2 * (token * pairs + i)]!, table[2 * (token * pairs + i) + 1]!];
        const first = row * dim + (distance === 1 ? 2 * i : i);
        const second = first + distance;
        y[first] = x[first]! * cos - x[second]! * sin;
        y[second] = x[first]! * sin + x[second]! * cos;
      }
    }
    return y;
  },

  dispatch({ output, params, device }) {
    const [, nHead, dim] = output as [number, number, number];
    const count = sizeOf(output);
    return [
      {
        kernel: name,
        uniforms: [count, nHead, dim, evenDimRot(params), distanceInPair(params)],
        bindings: [{ role: 'x' }, { role: 'table' }, { role: 'output' }],
        workgroups: workgroupsPerElement(count, device),
      },
    ];
  },

  tolerance: () => elementwiseTolerance,
};

function position(t: number, params: Params, { nPast }: Pass): number {
  const offset = optionalNumber(name, params, 'positionOffset', 0);
  const decodeOffset = optionalNumber(name, params, 'decodeOffset', 0);
  return pastOf(name, params, nPast) + t + offset + (nPast > 0 ? decodeOffset : 0);
}

/** Radians by pair. */
function anglesAt(position: number, params: Params, factors?: Float32Array): Float64Array {
  const exact = (i: number) => (position * frequency(i, params)) / (factors?.[i] ?? 1);
  const pairs = evenDimRot(params) / 2;
  switch (anglesOf(params)) {
    case 'exact':
      return Float64Array.from({ length: pairs }, (_, i) => exact(i));
    case 'recurrence':
      return recurrence(position, pairs, params, factors);
  }
}

/** ggml's: f32 after every operation. */
function recurrence(position: number, pairs: number, params: Params, factors?: Float32Array): Float64Array {
  const { fround } = Math;
  const freqScale = fround(numberParam(name, params, 'freqScale'));
  const step = fround(fround(numberParam(name, params, 'freqBase')) ** fround(-1 / pairs));
  let angle = fround(position);
  return Float64Array.from({ length: pairs }, (_, i) => {
    const turned = fround(freqScale * fround(angle / (factors?.[i] ?? 1)));
    angle = fround(angle * step);
    return turned;
  });
}

function anglesOf({ angles = 'exact' }: Params): 'exact' | 'recurrence' {
  if (angles === 'exact' || angles === 'recurrence') return angles;
  throw cannotRun(name, `its param angles is ${angles}; it must be exact or recurrence`);
}

/** Radians per position of pair i, before `factors`. */
function frequency(i: number, params: Params): number {
  const exponent = (-2 * i) / evenDimRot(params);
  return numberParam(name, params, 'freqScale') * numberParam(name, params, 'freqBase') ** exponent;
}

function evenDimRot(params: Params): number {
  const dimRot = numberParam(name, params, 'dimRot');
  if (dimRot < 2 || dimRot % 2 !== 0) {
    throw cannotRun(name, `its param dimRot is ${dimRot}; it must be even and at least 2`);
  }
  return dimRot;
}

/** How far the second of a pair stands from the first. */
function distanceInPair(params: Params): number {
  switch (params.pairing) {
    case 'neighbours':
      return 1;
    case 'halves':
      return evenDimRot(params) / 2;
    default:
      throw cannotRun(name, `its param pairing is ${params.pairing}; it must be neighbours or halves`);
  }
}
