/** no-causal-mask: soft_max without its mask. */
import { type Fault, firstOrKeysAfter, inLayers } from './fault.ts';
import { head, layer } from './params.ts';

export const noCausalMask: Fault = {
  name: 'no-causal-mask',
  title: 'The causal mask is missing',
  what: 'Each token of a pass sees the tokens after it, too. A decode has none after it: it suffers from the keys and values that the prefill has spoilt, from the second layer on.',
  ja: {
    title: '因果マスクがない',
    what: 'パス内の各トークンが自分より後のトークンも見てしまう。デコード1ステップ自体には後のトークンがないが、プリフィルで汚れたK/Vの影響を第2層以降で受ける。',
    of: '4a7289c1',
  },
  whoMadeIt: [
    {
      project: 'TinyLLM (Mikyx-1)',
      link: 'https://github.com/Mikyx-1/TinyLLM/pull/18',
      note: 'The mask was left out wherever a cache was given, so in every prefill.',
    },
    {
      project: 'mlxcel',
      link: 'https://github.com/lablup/mlxcel/pull/998',
      note: 'Prefill of deepseek_v2 ran without a mask; found by comparing tensors of layer 0.',
    },
    {
      project: 'higgs',
      link: 'https://github.com/panbanda/higgs/pull/203',
      note: 'A mask of the kind "causal" was dropped on the way.',
    },
  ],
  params: { layer, head },
  shows: { oneToken: 'no effect', prefill: 'seen', decode: 'seen' },
  firstTensor: firstOrKeysAfter('kq_soft_max'),
  changes: (site) =>
    inLayers(site, ['kq_soft_max'], () => ({ params: { mask: 'none' }, mutes: ['ahead', 'pastMax'], byHead: true })),
};
