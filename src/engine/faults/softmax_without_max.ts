/** softmax-without-max: soft_max_unshifted in place of soft_max. */
import { type Fault, firstOf, inLayers } from './fault.ts';
import { choice, head, layer } from './params.ts';

export const LARGEST_F16 = 65_504;
const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

export const softmaxWithoutMax: Fault = {
  name: 'softmax-without-max',
  title: 'Softmax without the maximum subtracted',
  what: 'exp is taken of the scores as they are. Nothing but rounding changes unless a score exceeds what exp can hold, about 88 in f32 and 11 in f16; then its row becomes NaN and 0, be it that of a single token. Scores of the shipped model reach 240, and 92 with the one token Lily.',
  ja: {
    title: 'softmaxで最大値を引かない',
    what: 'スコアをそのままexpに入れる。スコアがexpの上限(f32では約88、f16では約11)を超えない限り差は丸め誤差程度だが、超えるとその行はNaNと0になる。トークンが1個だけの場合も同じである。付属モデルのスコアは240に達し、トークンがLily 1個だけでも92になる。',
    of: 'b244b34f',
  },
  whoMadeIt: [
    {
      project: 'llama.cpp',
      link: 'https://github.com/ggml-org/llama.cpp/pull/2665',
      note: 'The CUDA kernel; large scores with ALiBi gave NaN.',
    },
    {
      project: 'ExecuTorch',
      link: 'https://github.com/pytorch/executorch/pull/18407',
      note: 'The Vulkan shader; scores of 151 in Phi-4-mini gave NaN from the first layer on.',
    },
    {
      project: 'FasterTransformer',
      link: 'https://github.com/NVIDIA/FasterTransformer/issues/43',
      note: 'NaN from the eighth layer on.',
    },
  ],
  params: { layer, head, precision: choice('what exp is computed in', ['f32', 'f16']) },
  shows: { oneToken: 'rounding', prefill: 'rounding', decode: 'rounding' },
  firstTensor: firstOf('kq_soft_max'),
  changes: (site) =>
    inLayers(site, ['kq_soft_max'], () => ({
      op: 'soft_max_unshifted',
      params: { overflow: Math.log(site.params.precision === 'f16' ? LARGEST_F16 : LARGEST_F32) },
      // The op knows the plain causal mask alone.
      mutes: ['mask', 'ahead', 'pastMax'],
      byHead: true,
    })),
};
