import { describe, expect, test } from 'vitest';
import { logitsBeside } from '../../src/charts/index.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const MANIFEST = { tokens: [1, 2], pieces: ['<s>', ' Tom'] };
const DIMS = ['token', 'vocab'];
const logitsOf = (...rows: number[][]) =>
  traceWith([{ name: 'result_output', shape: [rows.length, 4], data: rows.flat(), dims: DIMS }], MANIFEST);

const ours = logitsOf([0, 0, 0, 0], [0, 1, 3, 2]);
const reference = logitsOf([0, 0, 0, 0], [0, 3, 2, 1]);

describe('logitsBeside', () => {
  test('has the k likeliest of each side, with rank and probability on the other', async () => {
    const chart = await logitsBeside(ours, reference, { k: 2 });
    const [first, second, third, fourth] = rowsIn(chart);
    expect(rowsIn(chart)).toHaveLength(4);
    expect(first).toMatchObject({ id: 2, token: '␣Tom', rank: 1, rankThere: '2', probability: 0.643914 });
    expect(second).toMatchObject({ id: 3, token: '#3', rank: 2, rankThere: '3' });
    expect(third).toMatchObject({ id: 1, token: '<s>', rank: 1, rankThere: '3', label: '64.4 %; there #3, 8.71 %' });
    expect(fourth).toMatchObject({ id: 2, rankThere: '1' });
    expect(captionOf(chart)).toContain('1 of the 2 likeliest of the reference are among ours');
    expect(chart.description).toContain('ours has ␣Tom with 64.4 % first, the reference <s> with 64.4 %');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('calls the sides what they are called', async () => {
    const sides = { ours: 'with the change', reference: 'without the change' };
    const chart = await logitsBeside(ours, reference, { k: 2, sides });
    expect(captionOf(chart)).toContain('1 of the 2 likeliest without the change are so with the change too');
    expect(JSON.stringify(chart)).toContain('"text":"without the change"');
  });

  test('takes the position of ours on both sides', async () => {
    const longer = logitsOf([0, 0, 0, 0], [0, 3, 2, 1], [9, 0, 0, 0]);
    expect(await logitsBeside(ours, longer)).toEqual(await logitsBeside(ours, reference));
    expect(captionOf(await logitsBeside(ours, reference, { position: 0 }))).toContain('What may follow 0 <s>');
  });

  test('a NaN has no rank, and is counted', async () => {
    const broken = logitsOf([0, 0, 0, 0], [0, Number.NaN, 2, 1]);
    const chart = await logitsBeside(ours, broken, { k: 4 });
    expect(rowsIn(chart).find(({ id, rank }) => id === 1 && rank === 3)).toMatchObject({ rankThere: 'none' });
    expect(captionOf(chart)).toContain('NaN logits, left out: 1');
  });

  test('a reference that has no such position is named', async () => {
    await expect(logitsBeside(ours, logitsOf([0, 0, 0, 0]))).rejects.toThrow('the top tokens of the reference');
  });
});
