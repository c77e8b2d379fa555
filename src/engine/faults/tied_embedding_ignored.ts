/** tied-embedding-ignored: result_output reads random numbers. */
import { RandomBits } from '../../gguf/random_blocks.ts';
import { cannotPut, type Fault, numberOf } from './fault.ts';
import { index } from './params.ts';

/** Uniform numbers of the same mean square. */
function randomLike(values: Float32Array, seed: number): Float32Array {
  const rms = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  const random = new RandomBits(seed, 1);
  return values.map(() => Math.sqrt(3) * rms * (2 * random.uniform() - 1));
}

export const tiedEmbeddingIgnored: Fault = {
  name: 'tied-embedding-ignored',
  title: 'The output matrix was never loaded',
  what: 'The file has no output.weight, for the embedding serves as both, and the engine computes logits with the random numbers that its own matrix began with.',
  ja: {
    title: '埋め込みとの重み共有が無視される',
    what: 'ファイルにoutput.weightがなく埋め込み行列を兼用すべきなのに、初期化時の乱数のままの行列でlogitsを計算する。',
    of: '0cc781a2',
  },
  whoMadeIt: [
    {
      project: 'tinygrad',
      link: 'https://github.com/tinygrad/tinygrad/pull/13796',
      note: 'Llama 3.2 1B: output.weight was not loaded and kept random numbers.',
    },
    {
      project: 'Parallax',
      link: 'https://github.com/GradientHQ/parallax/pull/444',
      note: 'Zeros in place of random numbers: tie_word_embeddings was set to false for everything.',
    },
    {
      project: 'Transformers',
      link: 'https://github.com/huggingface/transformers/pull/35085',
      note: 'GGUF models that share the matrix were taken not to.',
    },
  ],
  params: { seed: index('draws the random numbers', 1) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'result_output',
  changes(site) {
    if (!site.config.tiedEmbeddings) {
      throw cannotPut(
        site,
        'it has an output.weight; wanted one that shares its embedding, or the fault tied-by-mistake',
      );
    }
    return { result_output: { weight: { values: (values) => randomLike(values, numberOf(site, 'seed')) } } };
  },
};
