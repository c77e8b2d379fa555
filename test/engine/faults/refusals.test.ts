/** Faults that cannot be made or put into a model, and what is said then. */
import { describe, expect, test } from 'vitest';
import { fault, faults } from '../../../src/engine/faults/index.ts';
import { edit } from '../../../src/engine/transforms/edit.ts';
import { f16Storage } from '../../../src/engine/transforms/f16_storage.ts';
import { UsageError } from '../../../src/errors.ts';
import type { Params } from '../../../src/ops/op.ts';
import { openRandom } from '../models.ts';

describe('made', () => {
  test.each([
    ['rope-pairings', {}, 'Cannot make fault "rope-pairings": there is none of that name; nearest are rope-pairing, '],
    ['rope-base', { bse: 1e6 }, 'Cannot make fault rope-base: it has no parameter "bse"; it has base, '],
    ['output-norm-missing', { layer: 1 }, 'it has no parameter "layer"; it has none'],
    ['silu-zero', { layer: -1 }, 'its parameter layer is -1; wanted a whole number, 0 or more'],
    ['silu-zero', { layer: 1.5 }, 'its parameter layer is 1.5; wanted a whole number'],
    ['silu-zero', { layer: '1' }, 'its parameter layer is "1"; wanted a whole number'],
    ['rope-base', { base: 0 }, 'its parameter base is 0; wanted a positive number'],
    ['rope-missing', { of: 'v' }, 'its parameter of is "v"; wanted one of both, q, k'],
    ['stale-buffer', { share: 2 }, 'its parameter share is 2; wanted a number above 0, at most 1'],
  ] as [string, Params, string][])('%s with %j is refused', (name, params, message) => {
    expect(() => fault(name, params)).toThrow(UsageError);
    expect(() => fault(name, params)).toThrow(message);
  });

  test('every parameter that is not there is refused by name, by every fault', () => {
    for (const { name } of faults) expect(() => fault(name, { nothing: 1 })).toThrow('"nothing"');
  });
});

describe('put', () => {
  const refused = async (name: string, params: Params, options: Parameters<typeof openRandom>[1], message: string) => {
    const model = await openRandom('reference', options);
    const put = () => model.with(fault(name, params));
    expect(put).toThrow(UsageError);
    expect(put).toThrow(message);
  };

  test.each([
    ['rope-pairing', { layer: 3 }, {}, 'Cannot put fault rope-pairing into layer 3: the model has layers 0 to 2'],
    ['rope-pairing', { head: 4 }, {}, 'Cannot put fault rope-pairing into head 4: the model has heads 0 to 3'],
    ['rope-base', { base: 10_000 }, {}, 'its base is 10000; wanted another one'],
    ['rope-dim', { dim: 16 }, {}, 'it turns 16 dimensions of a head; wanted dim to be an even number below that'],
    ['rope-scaling-ignored', {}, {}, 'it has neither rope_freqs.weight nor a scaling factor'],
    ['rope-missing', { of: 'k', head: 1 }, {}, 'head is a query head and of is k'],
    ['gqa-tiled', {}, { nHeadKv: 4 }, 'it has 4 heads and 4 KV heads, so both orders are one'],
    ['gqa-tiled', {}, { nHeadKv: 1 }, 'it has 4 heads and 1 KV heads, so both orders are one'],
    ['gqa-tiled', { head: 3 }, {}, 'query head 3 reads KV head 1 in both orders; wanted another head'],
    ['k-rows-permuted', {}, { nHeadKv: 4 }, 'its K has 4 heads of 16 rows and was to be reordered as 4'],
    ['k-rows-permuted', { heads: 5 }, {}, 'was to be reordered as 5'],
    ['attention-scale-wrong', { of: 'heads' }, { nHead: 8, nHeadKv: 4 }, '8 is also the width of a head'],
    ['norm-eps', { eps: 1e-5 }, { eps: 1e-5 }, 'its eps is 0.00001; wanted another one'],
    ['layers-swapped', { a: 1, b: 1 }, {}, 'a is 1 and b is 1; wanted two layers of 0 to 2'],
    ['layers-swapped', { b: 3 }, {}, 'a is 1 and b is 3; wanted two layers of 0 to 2'],
    ['nibbles-swapped', {}, { type: 'F16' }, 'its blk.0.attn_q.weight is F16; wanted a file quantised to Q4_0'],
    ['tied-embedding-ignored', {}, {}, 'it has an output.weight; wanted one that shares its embedding'],
    ['tied-by-mistake', {}, { tied: true }, 'it has no output.weight; wanted a model that has one'],
    ['kv-cache-wrong-layer', { layer: 0 }, {}, 'no layer stands before the one to hit; wanted layer 1 or a later one'],
  ] as [string, Params, Parameters<typeof openRandom>[1], string][])('%s with %j into a model with %j', refused);

  test('two that change the same contradict each other, in the layers that both hit: both are named, and the cure', async () => {
    const model = await openRandom('reference');
    const pairs: [string, string, string][] = [
      ['silu-zero', 'sigmoid-for-silu', 'both change the op of ffn_silu-0; put the two into different layers'],
      ['rope-base', 'rope-exponent-sign', 'both change the parameter freqBase of Qcur_rope-0'],
      ['attention-scale-missing', 'attention-scale-wrong', 'both change the parameter scale of kq_soft_max-0'],
      ['output-norm-missing', 'last-row', 'both change the input x of result_output; put in one of them alone'],
      ['kv-cache-off-by-one', 'kv-pos-clamp', 'both change the cache of kq-0'],
      ['norm-weight-missing', 'norm-weight-plus-one', 'both change the input weight of attn_norm-0'],
      ['stale-buffer', 'stale-buffer', 'both change how much is written of ffn_gate-0; it once is enough'],
      ['rope-on-v', 'rope-on-v', 'both change what is kept of Vcur-0; it once is enough'],
      ['rope-missing', 'rope-pairing', 'with rope-missing, rope-pairing changes nothing; put the two into different'],
      ['rope-pairing', 'rope-missing', 'with rope-missing, rope-pairing changes nothing; put the two into different'],
      ['no-causal-mask', 'mask-off-by-one', 'with no-causal-mask, mask-off-by-one changes nothing'],
      ['softmax-without-max', 'mask-without-past', 'with softmax-without-max, mask-without-past changes nothing'],
      ['bos-missing', 'bos-doubled', 'each says the contrary of the other; put in one of them alone'],
      ['bos-doubled', 'bos-missing', 'each says the contrary of the other; put in one of them alone'],
      ['bos-doubled', 'bos-doubled', 'the model has it already; it once is enough'],
    ];
    for (const [one, other, reason] of pairs) {
      const message = `Cannot put fault ${other} beside fault ${one}: ${reason}`;
      expect(() => model.with(fault(one), fault(other)), other).toThrow(message);
      expect(() => model.with(fault(one)).with(fault('layer-skipped'), fault(other)), other).toThrow(message);
    }
    expect(() => model.with(fault('gqa-tiled', { head: 1 }), fault('kv-cache-off-by-one'))).toThrow(
      'Cannot put fault kv-cache-off-by-one beside fault gqa-tiled: one of them is in a single head of kq-0',
    );
    model.with(fault('silu-zero', { layer: 0 }), fault('sigmoid-for-silu', { layer: 1 }), fault('rope-pairing'));
  });

  test('transforms that make other steps of a tensor come after faults', async () => {
    const model = await openRandom('reference');
    expect(() => model.with(f16Storage(), fault('silu-zero'))).toThrow('has changed the op of ffn_silu-0 already');
    model.with(fault('silu-zero'), f16Storage());
  });

  test('a model that a fault was refused by is as it was', async () => {
    const model = await openRandom('reference');
    const steps = structuredClone(model.steps);
    expect(() => model.with(fault('silu-zero'), fault('rope-base', { layer: 9 }))).toThrow();
    expect(model.steps).toEqual(steps);
    expect(model.manifest([1]).transforms).toEqual([]);
  });

  test('a fault and an edit of one tensor go together, the edit after the fault', async () => {
    const model = (await openRandom('reference')).with(
      edit('Qcur_rope-0', (tensor) => tensor.scale(2)),
      fault('rope-pairing', { head: 1 }),
    );
    const plain = (await openRandom('reference')).with(fault('rope-pairing', { head: 1 }));
    const tokens = [5, 6, 7];
    const [edited, faulty] = [await model.start(tokens).to('Qcur_rope-0'), await plain.start(tokens).to('Qcur_rope-0')];
    const twice = (await faulty.tensor('Qcur_rope-0')).scale(2);
    expect((await edited.tensor('Qcur_rope-0')).data).toEqual(twice.data);
  });
});

test('the manifest lists a fault with what it was given and what that leaves open', async () => {
  const model = (await openRandom('reference')).with(fault('rope-base', { layer: 1 }));
  expect(model.manifest([1]).transforms).toEqual([{ name: 'rope-base', params: { layer: 1, base: 500_000 } }]);
});
