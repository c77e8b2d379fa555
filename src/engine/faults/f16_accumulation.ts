/** f16-accumulation: products are mul_mat_f16 steps. */
import { forward } from '../../llama/forward.ts';
import { type Fault, firstOf } from './fault.ts';
import { layer } from './params.ts';

export const f16Accumulation: Fault = {
  name: 'f16-accumulation',
  title: 'Products are added up in f16',
  what: 'Every product with a matrix rounds its factors, its products and its running sum to half precision. 2,048 + 1 is 2,048 there: long sums lose what is small.',
  ja: {
    title: '行列積がf16で累積される',
    what: '行列積の入力、各積、途中の和を全てf16に丸める。f16では2048+1=2048となるため、長い和では小さな項が失われる。',
    of: '5c4d096a',
  },
  whoMadeIt: [
    {
      project: 'TensorLogic',
      note: 'Investigations 000 and 001: half precision throughout; a drift of 0.093 was measured and rightly ruled out as the cause.',
    },
    {
      project: 'vLLM',
      link: 'https://github.com/vllm-project/vllm/pull/33972',
      note: 'Marlin: sums that overflow stay so, whatever is done to them later.',
    },
    {
      project: 'ONNX Runtime',
      link: 'https://github.com/microsoft/onnxruntime/pull/29599',
      note: 'An option for f32 sums on WebGPU; f16 ones made Gemma 3 give garbage.',
    },
  ],
  params: { layer },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur'),
  changes(site) {
    const { layers, params } = site;
    const products = forward(site.config).filter(
      ({ op, layer }) => op === 'mul_mat' && (layer === null ? params.layer === undefined : layers.includes(layer)),
    );
    return Object.fromEntries(products.map(({ name }) => [name, { op: 'mul_mat_f16' }]));
  },
};
