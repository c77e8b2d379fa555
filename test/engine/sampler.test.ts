import { describe, expect, test } from 'vitest';
import { ranked, Sampler, type SamplerOptions } from '../../src/engine/sampler.ts';
import { UsageError } from '../../src/errors.ts';
import { normals, seeded } from '../seeded.ts';

const logits = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);
const skewed = logits(0.1, 0.5, 0.05, 0.3, 0.05);

/** How many tokens `options` ever draw in 2,000 tries. */
function drawn(options: SamplerOptions, history: readonly number[] = []): Map<number, number> {
  const sampler = new Sampler({ temperature: 1, seed: 3, ...options });
  const counts = new Map<number, number>();
  for (let i = 0; i < 2000; i++) {
    const { token } = sampler.draw(skewed, history);
    counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  return counts;
}

test('greedy takes the largest logit, and of equal ones the lowest id', () => {
  expect(new Sampler().draw(skewed, []).token).toBe(1);
  expect(new Sampler().draw(Float32Array.of(2, 7, 7), []).token).toBe(1);
  expect(new Sampler().draw(Float32Array.of(Number.NaN, -3, Number.NEGATIVE_INFINITY), []).token).toBe(1);
});

test('greedy says the same of its token whether or not a stage wants the candidates in order', () => {
  const random = seeded(4);
  for (let size = 1; size < 300; size += 7) {
    const values = normals(random, size, 3);
    const plain = new Sampler().draw(values, []);
    const ordered = new Sampler({ repetitionPenalty: 2 }).draw(values, []);
    expect(plain.token).toBe(ordered.token);
    const { probability, ...stage } = ordered.stages[0]!;
    expect(plain.stages).toEqual([{ ...stage, probability: expect.closeTo(probability, 12) }]);
  }
});

test('candidates stand in the order of their logits, equal ones in that of their ids', () => {
  const values = normals(seeded(8), 5000, 3).map((x, i) => (i % 7 === 0 ? Math.round(x) : x));
  values.set([0, -0, Number.POSITIVE_INFINITY, -1e-45, 1e-45, Number.NaN], 100);
  const key = (id: number) => (Number.isNaN(values[id]!) ? Number.NEGATIVE_INFINITY : values[id]!);
  const wanted = Array.from(values.keys()).sort((a, b) => key(b) - key(a) || a - b);
  const { ids, logits } = ranked(values);
  expect([...ids]).toEqual(wanted);
  expect(logits).toEqual(Float64Array.from(wanted, key));
});

test('draws follow the probabilities', () => {
  const counts = drawn({});
  for (const [token, probability] of [0.1, 0.5, 0.05, 0.3, 0.05].entries()) {
    // Four standard deviations of a binomial of 2,000.
    const spread = 4 * Math.sqrt(2000 * probability * (1 - probability));
    expect(Math.abs((counts.get(token) ?? 0) - 2000 * probability)).toBeLessThan(spread);
  }
});

test('the same seed draws the same tokens and another seed others', () => {
  const tokens = (seed: number) => {
    const sampler = new Sampler({ temperature: 1, seed });
    return Array.from({ length: 40 }, () => sampler.draw(skewed, []).token);
  };
  expect(tokens(5)).toEqual(tokens(5));
  expect(tokens(5)).not.toEqual(tokens(6));
});

describe('each stage leaves what its paper says', () => {
  test('top-k the k largest', () => expect([...drawn({ topK: 2 }).keys()].sort()).toEqual([1, 3]));
  test('top-p the fewest that reach p', () => expect([...drawn({ topP: 0.75 }).keys()].sort()).toEqual([1, 3]));
  test('min-p those of at least that share of the best', () =>
    expect([...drawn({ minP: 0.15 }).keys()].sort()).toEqual([0, 1, 3]));
  test('a penalty weakens recent tokens, and only those of the last N', () => {
    const penalty = { temperature: 0, repetitionPenalty: 3 };
    expect(new Sampler(penalty).draw(skewed, [1, 9]).token).toBe(3);
    expect(new Sampler({ ...penalty, penaltyLastN: 1 }).draw(skewed, [1, 9]).token).toBe(1);
  });
  test('a penalty divides positive and multiplies negative logits', () => {
    const { stages } = new Sampler({ repetitionPenalty: 2 }).draw(Float32Array.of(4, 1, -1), [0, 2]);
    const [a, b, c] = [Math.exp(2), Math.exp(1), Math.exp(-2)];
    expect(stages.at(-1)).toMatchObject({ name: 'penalty', rank: 1, kept: 3, removed: 0 });
    expect(stages.at(-1)?.probability).toBeCloseTo(a / (a + b + c), 12);
  });
});

test('every stage says what it removed and where the drawn token stood', () => {
  const sampler = new Sampler({ temperature: 0.5, topK: 3, topP: 0.99, minP: 0.01, seed: 1 });
  const { stages } = sampler.draw(skewed, []);
  expect(stages.map(({ name, kept, removed }) => [name, kept, removed])).toEqual(
    [
      ['logits', 5, 0],
      ['temperature', 5, 0],
      ['topK', 3, 2],
      ['topP', 3, 0],
    ].concat(stages.length === 5 ? [['minP', 3, 0]] : []),
  );
  for (const { rank, probability, kept } of stages) {
    expect(rank).toBeGreaterThanOrEqual(1);
    expect(rank).toBeLessThanOrEqual(kept);
    expect(probability).toBeGreaterThan(0);
  }
});

test('a stage that changes nothing is not shown', () => {
  expect(new Sampler({ topK: 5, topP: 1 }).draw(skewed, [0]).stages.map(({ name }) => name)).toEqual(['logits']);
});

test("the order of the stages can be llama.cpp's, with the temperature last", () => {
  const order = ['penalty', 'topK', 'topP', 'minP', 'temperature'] as const;
  const { stages } = new Sampler({ temperature: 2, topP: 0.8, order }).draw(skewed, []);
  expect(stages.map(({ name }) => name)).toEqual(['logits', 'topP', 'temperature']);
});

test('probabilities of 32,000 candidates add up, whatever the stages', () => {
  const many = normals(seeded(4), 32_000, 5);
  const { stages, token } = new Sampler({ temperature: 0.8, topK: 40, topP: 0.95, seed: 2 }).draw(many, []);
  expect(stages[0]?.kept).toBe(32_000);
  expect(token).toBeGreaterThanOrEqual(0);
  expect(stages.at(-1)?.kept).toBeLessThanOrEqual(40);
});

test.each<[keyof SamplerOptions, number]>([
  ['temperature', -1],
  ['temperature', Number.NaN],
  ['topK', 1.5],
  ['topP', 0],
  ['minP', 2],
  ['repetitionPenalty', 0],
  ['penaltyLastN', -1],
])('%s of %d is refused', (name, value) => {
  expect(() => new Sampler({ [name]: value })).toThrow(UsageError);
});

test.each([[['nope']], ['topK'], [['topK', 'topK']]])('the order %j is refused', (order) => {
  expect(() => new Sampler({ order } as unknown as SamplerOptions)).toThrow(/Cannot sample in the order/);
});
