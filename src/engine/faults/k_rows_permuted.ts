/** k-rows-permuted: Kcur reads a weight whose rows are reordered head by head. */

import { cannotPut, type Fault, firstOf, inLayers, numberOf } from './fault.ts';
import { gatheredRows, type WeightChange } from './faulty_weights.ts';
import { count, layer } from './params.ts';

/** Row by row of the GGUF order, the row of Hugging Face's: within a head the two halves take turns (llama.cpp's `permute`). */
function permutation(rows: number, heads: number): number[] {
  const dim = rows / heads;
  return Array.from({ length: rows }, (_, row) => {
    const [head, i] = [Math.floor(row / dim), row % dim];
    return head * dim + (i % 2) * (dim / 2) + Math.floor(i / 2);
  });
}

export const kRowsPermuted: Fault = {
  name: 'k-rows-permuted',
  title: 'Rows of K are reordered with the wrong number of heads',
  what: 'A converter reorders the rows of Q and K for RoPE head by head, and takes the wrong number of heads for K. The rows are all there, in an order that no RMS shows.',
  ja: {
    title: 'Kの行が誤ったヘッド数で並べ替えられる',
    what: '変換器はRoPEのためにQとKの行をヘッドごとに並べ替えるが、Kに誤ったヘッド数を使う。行は全て揃っており、順序が違うだけなのでRMSには現れない。',
    of: '6cc8e239',
  },
  whoMadeIt: [
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/pull/3364',
      note: 'convert.py divided the number of heads by that of KV heads. 64 / 8 = 8 hid it in Llama 2 70B; TinyLlama showed it.',
    },
    {
      project: 'Transformers',
      link: 'https://github.com/huggingface/transformers/pull/31788',
      note: 'Reading GGUF back did not tell heads from KV heads.',
    },
    {
      project: 'FlashAttention',
      link: 'https://github.com/Dao-AILab/flash-attention/pull/546',
      note: 'Loading Llama weights with grouped queries mapped key rows wrongly.',
    },
  ],
  params: { layer, heads: count('the number of heads that K is taken to have; that of Q unless given') },
  shows: { oneToken: 'tensor only', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Kcur'),
  changes(site) {
    const { nHead, nHeadKv, headDim } = site.config;
    const rows = nHeadKv * headDim;
    const heads = site.params.heads === undefined ? nHead : numberOf(site, 'heads');
    if (heads === nHeadKv || rows % (2 * heads) !== 0) {
      const wanted = 'wanted another number in heads, so that a head has an even number of rows';
      throw cannotPut(
        site,
        `its K has ${nHeadKv} heads of ${headDim} rows and was to be reordered as ${heads}; ${wanted}`,
      );
    }
    const right = permutation(rows, nHeadKv);
    // Where each row of the Hugging Face order lies in the file.
    const inFile = new Map(right.map((from, row) => [from, row]));
    const from = permutation(rows, heads).map((row) => inFile.get(row)!);
    const weight: WeightChange = { bytes: (bytes, info) => gatheredRows(bytes, info, (row) => from[row]!) };
    const bias: WeightChange = { values: (values) => values.map((_, row) => values[from[row]!]!) };
    return site.config.hasAttentionBias
      ? {
          ...inLayers(site, ['Kcur_nobias'], () => ({ weight })),
          ...inLayers(site, ['Kcur'], () => ({ weight: bias })),
        }
      : inLayers(site, ['Kcur'], () => ({ weight }));
  },
};
