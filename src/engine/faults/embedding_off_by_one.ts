/** embedding-off-by-one: get_rows reads an embedding whose rows are shifted by one. */

import type { Fault } from './fault.ts';
import { gatheredRows } from './faulty_weights.ts';

export const embeddingOffByOne: Fault = {
  name: 'embedding-off-by-one',
  title: 'Embeddings are read one row off',
  what: 'Each token gets the row after its own; the last one the first.',
  ja: {
    title: '埋め込みの行が一つずれる',
    what: '各トークンが自分の次の行の埋め込みを受け取る(最後のトークンは先頭の行)。',
    of: '6ccb3829',
  },
  whoMadeIt: [
    {
      project: 'MHGRN',
      link: 'https://github.com/INK-USC/MHGRN/issues/5',
      note: 'Ids were raised by one to make room for padding, and the table was not: each concept got the row of the next.',
    },
  ],
  params: {},
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: () => 'embd',
  changes: ({ config: { nVocab } }) => ({
    embd: { weight: { bytes: (bytes, weight) => gatheredRows(bytes, weight, (row) => (row + 1) % nVocab) } },
  }),
};
