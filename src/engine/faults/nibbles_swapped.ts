/** nibbles-swapped: products read Q4_0 weights whose nibbles are reordered. */
import { forward } from '../../llama/forward.ts';
import { cannotPut, type Fault, firstOf } from './fault.ts';
import { type WeightChange, withNibbles } from './faulty_weights.ts';
import { choice, layer } from './params.ts';

const swapped = (numbers: readonly number[]) => [...numbers.slice(16), ...numbers.slice(0, 16)];
const interleaved = (numbers: readonly number[]) => numbers.map((_, i) => numbers[(i % 2) * 16 + (i >> 1)]!);

export const nibblesSwapped: Fault = {
  name: 'nibbles-swapped',
  title: 'The two numbers in a byte are taken in the wrong order',
  what: 'A Q4_0 block holds numbers 0 to 15 in the low halves of its bytes and 16 to 31 in the high ones. The engine swaps the halves, or takes them for neighbours.',
  ja: {
    title: 'Q4_0のニブルの順序が違う',
    what: 'Q4_0のブロックは、各バイトの下位4ビットに0〜15番目、上位4ビットに16〜31番目の値を持つ。これを逆に読む、または隣り合う値として読む。',
    of: 'c05cdb5b',
  },
  whoMadeIt: [
    {
      project: 'imp',
      link: 'https://github.com/kekzl/imp/pull/722',
      note: 'The product for Q4_0 took halves for neighbours; no Q4_0 model was in the tests.',
    },
    {
      project: '1bit-MONSTER',
      link: 'https://github.com/1bit-MONSTER/1bit-MONSTER/pull/572',
      note: 'A converter packed neighbours.',
    },
    { project: 'aprender', link: 'https://github.com/paiml/aprender/pull/1656', note: 'The same in Q5_0 and Q5_1.' },
  ],
  params: { layer, order: choice('high halves before low ones, or both by turns', ['swapped', 'interleaved']) },
  shows: { oneToken: 'seen', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOf('Qcur'),
  changes(site) {
    const { weightType, params, layers } = site;
    const products = forward(site.config).filter(
      ({ op, layer, inputs }) =>
        op === 'mul_mat' &&
        (layer === null ? params.layer === undefined : layers.includes(layer)) &&
        weightType(inputs.weight ?? '') === 'Q4_0',
    );
    if (!products.some(({ name }) => name === `Qcur-${layers[0]}` || name === `Qcur_nobias-${layers[0]}`)) {
      const type = weightType(`blk.${layers[0]}.attn_q.weight`);
      throw cannotPut(site, `its blk.${layers[0]}.attn_q.weight is ${type}; wanted a file quantised to Q4_0`);
    }
    const order = params.order === 'swapped' ? swapped : interleaved;
    const weight: WeightChange = { bytes: (bytes, info) => withNibbles(bytes, info, order) };
    return Object.fromEntries(products.map(({ name }) => [name, { weight }]));
  },
};
