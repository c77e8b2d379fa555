/** last-row: result_output reads rows that are shifted by one. */
import { type Fault, numberOf } from './fault.ts';
import { count } from './params.ts';

export const lastRow: Fault = {
  name: 'last-row',
  title: 'The logits of the token before are taken',
  what: 'The next token is drawn from the row before the last. A pass of one token has no other row, so a decode is right, and so is a prompt of one token.',
  ja: {
    title: '最後のトークンの一つ前の行のlogitsを使う',
    what: '次のトークンを、最後から二番目の行のlogitsから選ぶ。1トークンだけのパスには他の行がないため、デコードや1トークンのプロンプトでは正しい。',
    of: '307ff693',
  },
  whoMadeIt: [
    {
      project: 'llama-cpp-python',
      link: 'https://github.com/abetlen/llama-cpp-python/pull/1179',
      note: 'sample_idx was one less than it ought to be, which cut off the last token.',
    },
    {
      project: 'tt-forge-onnx',
      link: 'https://github.com/tenstorrent/tt-forge-onnx/pull/384',
      note: 'The row of a padding token was taken for the last one.',
    },
  ],
  params: { by: count('how many rows too early', 1) },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'no effect' },
  firstTensor: () => 'result_output',
  changes(site) {
    const x = 'result_norm_shifted';
    const [inputs, params] = [{ x: 'result_norm' }, { by: numberOf(site, 'by') }];
    const shifted = { name: x, layer: null, op: 'shift_rows', inputs, params, dims: ['token', 'embd'] };
    return { result_output: { inputs: { x }, before: [shifted] } };
  },
};
