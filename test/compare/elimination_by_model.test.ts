/** What the eliminator makes of the model's config, of the scores and of NaN. */
import { describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { eliminate, type Seen } from '../../src/compare/eliminator.ts';
import { fault } from '../../src/engine/faults/index.ts';
import type { Model } from '../../src/engine/model.ts';
import { openModel } from '../../src/node/index.ts';
import { openRandom } from '../engine/models.ts';
import { passesRun } from './foreign_dump.ts';

const TOKENS = [40, 77, 105, 9, 200, 31, 77, 150];

/** The reason for which a fault is ruled out; null where it remains. */
const whyOut = (seen: Parameters<typeof eliminate>[0], name: string) =>
  eliminate(seen).ruledOut.find(({ fault }) => fault === name)?.reason ?? null;
const whyLeft = (seen: Parameters<typeof eliminate>[0], name: string) =>
  eliminate(seen).remaining.find(({ fault }) => fault === name)?.reason ?? null;

/** Everything parts, and nobody looked further. */
const blind: Seen = {
  passes: [{ nPast: 0, nTokens: 8 }],
  ...{ nLayer: 3, compared: ['result_output'], agreed: [], parted: 'result_output' },
};

describe('a model that cannot have a fault rules it out, and says why', () => {
  test.each([
    ['gqa-tiled', { nHeadKv: 4 }, 'it has 4 heads and 4 KV heads, so both orders are one'],
    ['gqa-tiled', { nHeadKv: 1 }, 'it has 4 heads and 1 KV heads, so both orders are one'],
    ['rope-scaling-ignored', {}, 'it has neither rope_freqs.weight nor a scaling factor'],
    ['tied-embedding-ignored', {}, 'it has an output.weight'],
    ['tied-by-mistake', { tied: true }, 'it has no output.weight'],
    ['k-rows-permuted', { nHeadKv: 4 }, 'its K has 4 heads of 16 rows and was to be reordered as 4'],
    ['layers-swapped', { nLayer: 1 }, 'it has one layer'],
    ['kv-cache-wrong-layer', { nLayer: 1 }, 'no layer stands before the one to hit'],
  ] as const)('%s of %j', async (name, options, reason) => {
    const { config } = await openRandom('reference', options);
    const { config: other } = await openRandom('reference', {
      ropeFreqs: true,
      tied: name === 'tied-embedding-ignored',
    });
    expect(whyOut({ ...blind, config }, name)).toContain(`This model cannot have it: ${reason}`);
    expect(whyOut(blind, name) ?? '').not.toContain('cannot have it');
    expect(whyOut({ ...blind, config: other }, name) ?? '').not.toContain('cannot have it');
  });

  test('nibbles-swapped by the types of its weights, where they are known', async () => {
    const [f32, q4] = [await openRandom('reference'), await openRandom('reference', { type: 'Q4_0' })];
    const seenIn = ({ config, gguf }: Model): Seen => ({
      ...{ ...blind, config },
      weightType: (name) => gguf.tensors.get(name)?.type,
    });
    expect(whyOut(seenIn(f32), 'nibbles-swapped')).toContain('its blk.0.attn_q.weight is F32');
    expect(whyLeft(seenIn(q4), 'nibbles-swapped')).not.toBeNull();
    expect(whyLeft({ ...blind, config: f32.config }, 'nibbles-swapped')).not.toBeNull();
  });

  test('in a comparison whose model is at hand', async () => {
    const model = await openRandom('reference', { nHeadKv: 4 });
    const trace = await passesRun(model, TOKENS, [8]);
    const broken = await passesRun(model.with(fault('v-not-transposed')), TOKENS, [8]);
    expect(whyOut(await compare(broken, trace, { model, cause: false }), 'gqa-tiled')).toContain('both orders are one');
    const bare = await compare(broken, trace, { cause: false });
    expect(whyOut(bare, 'gqa-tiled')).not.toContain('cannot have it');
  });
});

describe('softmax without its maximum', () => {
  const name = 'softmax-without-max';
  const oneToken: Seen = { ...blind, passes: [{ nPast: 0, nTokens: 1 }] };
  const agreed: Seen = { ...oneToken, agreed: ['result_output'], parted: null };

  test('remains where nobody knows the scores, for one token too: they may overflow', () => {
    expect(whyLeft(agreed, name)).toContain('unless a score overflows exp, above about 88 in f32 and 11 in f16');
    expect(whyLeft(oneToken, name)).not.toBeNull();
  });

  test('is out where all is finite, for an overflow gives NaN', () => {
    expect(whyOut({ ...oneToken, finite: true }, name)).toContain('which gives NaN, and every number is finite');
  });

  test('is judged by the largest score, where that is known', () => {
    expect(whyLeft({ ...agreed, largestScore: 3 }, name)).toContain('the largest here is 3');
    expect(whyOut({ ...oneToken, largestScore: 3 }, name)).toContain('the largest here is 3');
    expect(whyOut({ ...oneToken, largestScore: 92, finite: true }, name)).toContain('every number is finite');
    expect(whyLeft({ ...oneToken, largestScore: 92 }, name)).not.toBeNull();
  });

  test('of the shipped model overflows with the one token Lily, and remains; and small scores rule it out', async () => {
    const lily = await openModel('fixtures/lily-4m-f16.gguf', { backend: 'reference' });
    const ids = lily.tokenize('Lily', { bos: false });
    expect(ids).toHaveLength(1);
    const [faulty, healthy] = [await passesRun(lily.with(fault(name)), ids, [1]), await passesRun(lily, ids, [1])];
    const comparison = await compare(faulty, healthy, { model: lily, cause: false, f64: false });
    expect(comparison.firstDivergence?.name).toBe('kq_soft_max-3');
    expect(whyLeft(comparison, name)).toMatch(/^It begins at kq_soft_max-3/);
    const scores = await healthy.tensor('kq-3');
    expect(Math.max(...scores.data) / Math.sqrt(lily.config.headDim)).toBeCloseTo(91.7, 1);
    await lily.close();

    const small = await openRandom('reference');
    const one = await passesRun(small, [40], [1]);
    expect(whyLeft(await compare(one, one, { model: small }), name)).toMatch(/the largest here is [\d.e-]+$/);
    const broken = await passesRun(small.with(fault('gelu-for-silu')), [40], [1]);
    const parted = await compare(broken, one, { model: small, cause: false });
    expect(whyOut(parted, name)).toMatch(/the largest here is [\d.e-]+$/);
  });
});
