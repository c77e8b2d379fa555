import { describe, expect, test } from 'vitest';
import { distancesOf } from '../../src/compare/distances.ts';
import { traceWith } from '../charts/specs.ts';
import { openRandom, relativeRmsError } from '../engine/models.ts';

const row = (name: string, data: readonly number[]) => ({ name, shape: [1, data.length], data });

describe('distancesOf', () => {
  test('has ‖ours − reference‖ / ‖reference‖ of what both have, in the order of ours', async () => {
    const ours = traceWith([row('b-1', [6, 3]), row('a', [3, 4]), row('only', [1])]);
    const reference = traceWith([row('a', [3, 4]), row('b-1', [6, 8]), row('other', [1])]);
    const distances = await distancesOf(ours, reference);
    expect(distances.map(({ name, layer, relativeRmsError }) => [name, layer, relativeRmsError])).toEqual([
      ['b-1', 1, 0.5],
      ['a', null, 0],
    ]);
    expect((await distancesOf(ours, reference, 'a')).map(({ name }) => name)).toEqual(['a']);
  });

  test('is infinite where only the reference is zero, and NaN where a side alone is not finite', async () => {
    const ours = traceWith([row('a', [1, 0]), row('b', [Number.NaN, 2])]);
    const reference = traceWith([row('a', [0, 0]), row('b', [1, 2])]);
    expect((await distancesOf(ours, reference)).map(({ relativeRmsError }) => relativeRmsError)).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NaN,
    ]);
  });

  test('of runs cut into other passes is over all tokens, and masked keys do not count', async () => {
    const model = await openRandom('reference');
    const whole = await model.start([1, 40, 77, 9]).toEnd();
    const parts = await model.start([1, 40]).toEnd();
    await (await parts.append([77, 10])).toEnd();
    const distances = await distancesOf(parts.trace, whole.trace);
    expect(distances.map(({ name }) => name)).toEqual(whole.trace.names);
    const [mine, theirs] = [await parts.trace.tensor('l_out-2', { pass: 'all' }), await whole.tensor('l_out-2')];
    const joined = Float32Array.from(mine.flatMap(({ data }) => [...data]));
    const wanted = relativeRmsError(joined, theirs.data);
    expect(distances.find(({ name }) => name === 'l_out-2')?.relativeRmsError).toBeCloseTo(wanted, 6);
  });
});
