import { describe, expect, test } from 'vitest';
import { compare } from '../../src/compare/compare.ts';
import { eliminate, type Seen } from '../../src/compare/eliminator.ts';
import { fault, faults, type Probe } from '../../src/engine/faults/index.ts';
import type { Model } from '../../src/engine/model.ts';
import type { Params } from '../../src/ops/op.ts';
import { passesOf } from '../../src/trace/passes.ts';
import { openRandom } from '../engine/models.ts';
import { seeded } from '../seeded.ts';
import { passesRun } from './foreign_dump.ts';

const TOKENS = [40, 77, 105, 9, 200, 31, 77, 150];
const ENDS: Readonly<Record<Probe, readonly number[]>> = { oneToken: [1], prefill: [8], decode: [7, 8] };
const probes = Object.keys(ENDS) as Probe[];

const RANDOM: Readonly<Record<string, Parameters<typeof openRandom>[1]>> = {
  'rope-scaling-ignored': { ropeFreqs: true },
  'tied-embedding-ignored': { tied: true },
  'nibbles-swapped': { type: 'Q4_0' },
};

const inSteps = faults.filter(({ changes }) => changes);
const names = (judged: readonly { readonly fault: string }[]) => judged.map(({ fault }) => fault);

describe('the suspects of investigation 001: one token, no BOS, a wrong answer', () => {
  const seen: Seen = {
    passes: [{ nPast: 0, nTokens: 1 }],
    nLayer: 22,
    compared: ['result_output'],
    agreed: [],
    parted: 'result_output',
    finite: true,
  };
  const { remaining, ruledOut, next } = eliminate(seen);

  test('of RoPE, attention scale, grouping of heads and softmax only the grouping survives', () => {
    const blamed = faults.map(({ name }) => name).filter((name) => /^rope|^attention-scale|^gqa|softmax/.test(name));
    expect(blamed.length).toBeGreaterThan(9);
    expect(names(remaining).filter((name) => blamed.includes(name))).toEqual(['gqa-tiled']);
    const why = (name: string) => ruledOut.find((each) => each.fault === name)?.reason;
    expect(why('rope-pairing')).toContain('position 0, where RoPE turns by no angle');
    expect(why('attention-scale-missing')).toContain('softmax over one key is 1');
    expect(why('softmax-without-max')).toContain('unless a score overflows exp, above about 88 in f32');
    expect(why('softmax-without-max')).toContain('every number is finite');
  });

  test('the next probe is the cheapest that tells what remains apart, and says what to dump', () => {
    expect(next?.probe).toBe('one token');
    expect(next?.dump.length).toBeGreaterThan(3);
    expect(next?.leaves).toBeLessThan(remaining.length / 2);
    expect(next?.sentence).toContain('Run one token and compare ');
  });
});

describe('what agrees rules out', () => {
  const agreeing = (passes: Seen['passes'], compared: readonly string[]): Seen => ({
    ...{ passes, nLayer: 3, compared, agreed: compared, parted: null },
  });

  test('whatever must change the logits of a prefill where they agree', () => {
    const { ruledOut, remaining } = eliminate(agreeing([{ nPast: 0, nTokens: 8 }], ['result_output']));
    expect(names(ruledOut)).toContain('rope-pairing');
    expect(names(ruledOut)).toContain('gqa-tiled');
    expect(names(remaining)).toContain('kv-cache-off-by-one');
    expect(names(remaining)).toContain('decode-position');
  });

  test('and one token leaves all that it cannot show, with the probe that would', () => {
    const { remaining, next } = eliminate(agreeing([{ nPast: 0, nTokens: 1 }], ['result_output']));
    expect(names(remaining)).toContain('rope-pairing');
    expect(names(remaining)).not.toContain('gelu-for-silu');
    expect(next?.probe).toBe('a prefill and a decode');
  });

  test('nothing twice, and every fault is either out or left', () => {
    for (const passes of [[{ nPast: 0, nTokens: 1 }], [{ nPast: 0, nTokens: 8 }]]) {
      const { ruledOut, remaining } = eliminate(agreeing(passes, ['l_out-0']));
      expect([...names(ruledOut), ...names(remaining)].sort()).toEqual(
        names(faults.map(({ name }) => ({ fault: name }))).sort(),
      );
    }
  });
});

describe('the fault that is there is never ruled out', () => {
  const isFull = process.env.LAYERSCOPE_FULL === '1';
  const each = inSteps.filter((_, i) => isFull || i % 4 === 0);

  test.each(each)('$name, in all layers or one, seen through any choice of tensors', async (found) => {
    const model = await openRandom('reference', RANDOM[found.name]);
    const random = seeded(found.name.length);
    for (const probe of probes) {
      const run = (one: Model) => passesRun(one, TOKENS, ENDS[probe]);
      const params: Params = found.params.layer && random() < 0.5 ? { layer: 1 } : {};
      const faulty = await run(model.with(fault(found.name, params)));
      const { tensors } = await compare(faulty, await run(model), { model, cause: false });
      for (let i = 0; i < 20; i++) {
        const share = random();
        const kept = new Set(tensors.filter(() => random() < share).map(({ name }) => name));
        const chosen = tensors.filter(({ name }) => kept.has(name));
        const bad = new Set(chosen.filter(({ status }) => status === 'beyond').map(({ name }) => name));
        const parted = chosen.find(({ name }) => bad.has(name))?.name ?? null;
        const seen = {
          ...{ passes: passesOf(faulty).map(({ pos0, nTokens }) => ({ nPast: pos0, nTokens })), nLayer: 3, parted },
          ...{ compared: [...kept], agreed: [...kept].filter((name) => !bad.has(name)) },
        };
        const { ruledOut } = eliminate(seen);
        const reason = ruledOut.find((one) => one.fault === found.name)?.reason;
        expect(reason, `${probe} ${JSON.stringify({ params, ...seen })}`).toBeUndefined();
      }
    }
  });
});

test('a named cause rules out all others', async () => {
  const model = await openRandom('reference');
  const run = (each: Model) => passesRun(each, TOKENS, ENDS.decode);
  const comparison = await compare(await run(model.with(fault('rope-dim'))), await run(model), { model });
  const { remaining, ruledOut, next } = eliminate(comparison);
  expect(names(remaining)).toEqual(['rope-dim']);
  expect(ruledOut).toHaveLength(faults.length - 1);
  expect(next).toBeNull();
});
