/** Small models for the engine's tests, and the two backends to run them on. */

import type { Model } from '../../src/engine/model.ts';
import { openModelFrom } from '../../src/engine/model.ts';
import { type RandomModelOptions, randomModelSource } from '../../src/gguf/random_model.ts';
import { openGpu } from '../../src/node/gpu.ts';
import { nodePlatform as platform } from '../../src/node/index.ts';

export { platform };

export const tiny: RandomModelOptions = {
  nLayer: 3,
  nEmbd: 64,
  nHead: 4,
  nHeadKv: 2,
  nFf: 96,
  nVocab: 300,
  nCtx: 128,
  type: 'F32',
  seed: 7,
};

/** Why there is no device, or null; a test that needs one is skipped with this. */
export const noAdapter: string | null = await openGpu().then(
  () => null,
  (error: Error) => error.message,
);

export const backends = noAdapter ? (['reference'] as const) : (['webgpu', 'reference'] as const);

export async function openRandom(
  backend: 'webgpu' | 'reference',
  options: Partial<RandomModelOptions> = {},
): Promise<Model> {
  const source = await randomModelSource({ ...tiny, ...options });
  return openModelFrom(source, platform, { backend });
}

/** sqrt(Σ (a - b)²) / sqrt(Σ b²). */
export function relativeRmsError(a: Float32Array, b: Float32Array): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    error += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(error) / Math.sqrt(size || 1);
}
