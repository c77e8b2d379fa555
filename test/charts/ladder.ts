/** The precision ladder of the shipped model in Q4_K_M, as it was measured on lavapipe: charts of it need no adapter then. */
import { type Flip, PrecisionLadder, type Rung, type RungName } from '../../src/compare/ladder.ts';

/** A rung of which are given: errors after each layer, of the norm and of the logits; where the likeliest token is another. */
export function rung(name: RungName, errors: readonly number[], flips: readonly Flip[] = []): Rung {
  const drift = errors.map((relativeRmsError, i) => {
    const ends = ['result_norm', 'result_output'];
    const layer = i < errors.length - ends.length ? i : null;
    const tensor = layer === null ? ends[i - errors.length + ends.length] : `l_out-${layer}`;
    return { name: `${tensor}`, layer, relativeRmsError };
  });
  return { name, backend: 'webgpu', drift, kl: [], flips };
}

export const FLIP: Flip = {
  position: 5,
  f64: { id: 345, piece: ' Sara' },
  rung: { id: 364, piece: ' Rose' },
  margin: 0.0183,
};

export const shippedLadder = new PrecisionLadder({
  model: 'fixtures/lily-4m-q4_k_m.gguf',
  quantisation: 'Q6_K F32 Q4_K',
  tokens: [1, 366, 331, 261, 470, 278, 357, 940, 357, 483],
  pieces: ['<s>', ' Lily', ' gave', ' the', ' ball', ' to', ' Tom', '.', ' Tom', ' thanked'],
  rungs: [
    rung('f32', [2.27e-7, 1.99e-7, 2.1e-7, 2.85e-7, 2.93e-7, 2.52e-7, 3.59e-7, 1.82e-7]),
    rung('f16 storage', [4.86e-4, 5.06e-4, 6.36e-4, 7.18e-4, 7.3e-4, 5.05e-4, 9.53e-4, 6.32e-4]),
    rung('f16 accumulation', [3.47e-3, 3.05e-3, 3.26e-3, 4.04e-3, 4.09e-3, 3.17e-3, 5.74e-3, 2.61e-3], [FLIP]),
    rung("ggml's rounding", [1.5e-2, 1.3e-2, 1.44e-2, 1.54e-2, 1.71e-2, 1.26e-2, 2.3e-2, 1.6e-2]),
  ],
  skipped: [],
});
