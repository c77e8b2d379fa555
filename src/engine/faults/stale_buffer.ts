/** stale-buffer: a step leaves the end of its output unwritten. */
import { type Fault, inLayers, numberOf } from './fault.ts';
import { choice, layer } from './params.ts';

const TENSORS = [
  'ffn_gate',
  'ffn_up',
  'ffn_out',
  'attn_norm',
  'Qcur',
  'kq',
  'kqv_out',
  'attn_out',
  'ffn_norm',
  'l_out',
];

export const staleBuffer: Fault = {
  name: 'stale-buffer',
  title: 'A buffer of the pool is used again and not written in full',
  what: 'The kernel of one tensor stops too early, and the rest of its output keeps what lay in that memory before. Zeroing buffers hides it; the numbers are still missing.',
  ja: {
    title: 'プールのバッファが使い回され、最後まで書き込まれない',
    what: 'あるテンソルのカーネルが途中で止まり、出力の残りには、そのメモリに以前あった値がそのまま残る。バッファをゼロクリアすれば症状は隠れるが、本来の値が書かれていないことに変わりはない。',
    of: '15dc9a31',
  },
  whoMadeIt: [
    {
      project: 'TensorLogic',
      note: 'Investigation 000: the pool handed out buffers that were not cleared, and three runs gave three tokens.',
    },
    {
      project: 'vLLM',
      link: 'https://github.com/vllm-project/vllm/pull/45660',
      note: 'Marlin added partial products into output buffers that had not been cleared.',
    },
    {
      project: 'LMCache',
      link: 'https://github.com/LMCache/LMCache/issues/1064',
      note: 'A GPU buffer was used again; where nothing was written to it the third prompt found what the second had left.',
    },
  ],
  params: {
    layer,
    tensor: choice('the tensor of each layer that is not written in full', TENSORS),
    share: {
      what: 'how much of it stays unwritten, of 1',
      default: 1 / 8,
      fits: (value) => value > 0 && value <= 1,
      wanted: 'a number above 0, at most 1',
    },
    seed: {
      what: 'draws the numbers that lie there, so that each seed gives other bits; unless given they are what the run itself has left',
      fits: Number.isInteger,
      wanted: 'a whole number',
    },
  },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: ({ layers, params }) => `${params.tensor}-${layers[0]}`,
  changes: (site) =>
    inLayers(site, [String(site.params.tensor)], () => ({
      unwritten: {
        share: numberOf(site, 'share'),
        ...(site.params.seed === undefined ? {} : { seed: numberOf(site, 'seed') }),
      },
    })),
};
