/** rope-pairing: rope pairs halves. */
import { type Fault, firstOf, inRope } from './fault.ts';
import { head, layer } from './params.ts';

export const ropePairing: Fault = {
  name: 'rope-pairing',
  title: 'RoPE pairs the wrong dimensions',
  what: 'Pairs are (i, i + d/2), as in Hugging Face files, where the rows of a GGUF file are ordered for neighbours (2i, 2i + 1). Norms stay as they are, so no RMS shows it.',
  ja: {
    title: 'RoPEのペアの組み方が違う',
    what: 'GGUFのQ/Kの行は隣同士のペア(2i, 2i+1)用に並んでいるのに、Hugging Face式の(i, i+d/2)で回転させる。ノルムは変わらないため、RMSには現れない。',
    of: 'c4767794',
  },
  whoMadeIt: [
    {
      project: 'TinyLlama',
      link: 'https://github.com/jzhang38/TinyLlama/issues/24',
      note: 'Gibberish in llama.cpp; halves and neighbours were the first explanation that was tried.',
    },
    {
      project: 'nurl',
      link: 'https://github.com/nurl-lang/nurl/pull/584',
      note: 'Hugging Face checkpoints were run with rotation of neighbours and without reordering their rows.',
    },
    {
      project: 'AiDotNet',
      link: 'https://github.com/ooples/AiDotNet/pull/2074',
      note: 'The same for safetensors of Llama models.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur_rope'),
  changes: (site) => inRope(site, { params: { pairing: 'halves' } }),
};
