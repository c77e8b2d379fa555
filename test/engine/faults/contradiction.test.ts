/** Pairs of faults: whether both can be in one model, and what is left of it where they cannot. */
import { describe, expect, test } from 'vitest';
import { fault, faults } from '../../../src/engine/faults/index.ts';
import type { Model } from '../../../src/engine/model.ts';
import { UsageError } from '../../../src/errors.ts';
import { openRandom } from '../models.ts';

const isFull = process.env.LAYERSCOPE_FULL === '1';

const model = await openRandom('reference', { nLayer: 2 });

/** The bits of every tensor of a prefill of seven and a decode of one. */
async function bitsOf(engine: Model): Promise<string> {
  const run = await engine.start([40, 77, 105, 9, 200, 31, 77]).toEnd();
  await (await run.append([150])).toEnd();
  const bits = run.trace.entries.map(({ name, pass, statistics }) => `${name} ${pass} ${statistics.hash64}`);
  run.close();
  return bits.join();
}

/** In this model softmax-without-max alone changes nothing, for its scores are small; the others need another one. */
const NOT_HERE: ReadonlySet<string> = new Set([
  ...['softmax-without-max', 'nibbles-swapped', 'layers-swapped', 'rope-scaling-ignored', 'tied-embedding-ignored'],
]);
const names = faults.filter(({ name, changes }) => changes && !NOT_HERE.has(name)).map(({ name }) => name);
const pairs = names.flatMap((one, i) => names.slice(i).map((other) => [one, other] as const));

describe('two faults in one model', () => {
  const put = (one: string, other: string): Model | string => {
    try {
      return model.with(fault(one), fault(other));
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      return (error as Error).message;
    }
  };

  test('are refused in either order, with both names and a cure, or in neither', () => {
    let refused = 0;
    for (const [one, other] of pairs) {
      const [first, second] = [put(one, other), put(other, one)];
      expect(typeof second, `${one} and ${other}: ${first}, ${second}`).toBe(typeof first);
      if (typeof first !== 'string') continue;
      refused++;
      expect(first).toMatch(new RegExp(`^Cannot put fault ${other} beside fault ${one}: .+; (put|it once)`));
    }
    expect(refused).toBeGreaterThan(names.length);
    expect(refused).toBeLessThan(pairs.length / 5);
  });

  test('that are not refused both change what is computed', async () => {
    const alone = new Map<string, string>();
    for (const name of names) alone.set(name, await bitsOf(model.with(fault(name))));
    for (const [one, other] of pairs.filter((_, i) => isFull || i % 9 === 0)) {
      const both = put(one, other);
      if (typeof both === 'string') continue;
      const bits = await bitsOf(both);
      expect(bits === alone.get(one), `${other} beside ${one}`).toBe(false);
      expect(bits === alone.get(other), `${one} beside ${other}`).toBe(false);
    }
  }, 120_000);
});

test('a model that refused faults gives the bits that it gave before', async () => {
  const before = await bitsOf(model);
  for (const [one, other] of pairs) {
    try {
      model.with(fault(one), fault(other));
    } catch {}
  }
  for (const where of ['layer', 'head']) expect(() => model.with(fault('rope-pairing', { [where]: 9 }))).toThrow();
  expect(await bitsOf(model)).toBe(before);
  expect(model.manifest([1]).transforms).toEqual([]);
});
