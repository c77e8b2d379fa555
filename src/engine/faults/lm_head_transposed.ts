/** lm-head-transposed: result_output reads its weight by columns. */
import type { WeightInfo } from '../weight_store.ts';
import type { Fault } from './fault.ts';

/** Number k of row n is the one that lies at k · rows + n. */
function readByColumns(values: Float32Array, { shape }: WeightInfo): Float32Array {
  const [rows, columns] = shape as [number, number];
  return Float32Array.from(values, (_, i) => values[(i % columns) * rows + Math.floor(i / columns)]!);
}

export const lmHeadTransposed: Fault = {
  name: 'lm-head-transposed',
  title: 'The output matrix is read with the wrong stride',
  what: 'Logits come of a matrix whose numbers were read column by column where they lie row by row. Every number is there, none in its place.',
  ja: {
    title: 'lm_headが転置された順で読まれる',
    what: '行優先で並ぶ出力行列を列優先の歩幅で読む。値は全て揃っているが、どれも正しい場所にない。',
    of: 'a8c0c520',
  },
  whoMadeIt: [
    {
      project: '1bit-MONSTER',
      link: 'https://github.com/1bit-MONSTER/1bit-MONSTER/issues/1270',
      note: 'The output matrix was built from the embedding with the stride of the vocabulary.',
    },
    {
      project: 'SharpMind',
      link: 'https://github.com/Integral2u/SharpMind/pull/14',
      note: 'The output matrix was transposed on loading; row 0 looked right, which misled spot checks.',
    },
  ],
  params: {},
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'result_output',
  changes: () => ({ result_output: { weight: { values: readByColumns } } }),
};
