import { describe, expect, test } from 'vitest';
import { topK } from '../../src/charts/index.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const DIMS = ['token', 'vocab'];
const ln = Math.log;
/** Over ids 0 … 3; of the second pass 0.1, 0.2, 0.3, 0.4. */
const trace = traceWith(
  [
    { name: 'result_output', shape: [2, 4], dims: DIMS, data: [0, 0, 0, 9, ln(5), ln(3), ln(1), ln(1)] },
    { name: 'result_output', shape: [1, 4], dims: DIMS, data: [ln(1), ln(2), ln(3), ln(4)], pass: 1, pos0: 2 },
  ],
  { tokens: [1, 3, 0], pieces: ['<s>', ' Tom', ' a'] },
);
const tokenizer = { piece: (id: number) => ['a', 'a', '<0xE3>', ' Tom'][id] as string, encode: () => [] };

describe('topK', () => {
  test('has the likeliest tokens after the last position with softmax, logit and rank', async () => {
    const rows = rowsIn(await topK(trace, { k: 2, tokenizer }));
    expect(rows).toEqual([
      { rank: 1, token: '␣Tom', id: 3, logit: 1.38629, probability: 0.4, label: '40 %, logit 1.39' },
      { rank: 2, token: '<0xE3>', id: 2, logit: 1.09861, probability: 0.3, label: '30 %, logit 1.1' },
    ]);
  });

  test('finds a position in the pass that was over it', async () => {
    const chart = await topK(trace, { position: 1, k: 1 });
    expect(rowsIn(chart)[0]).toMatchObject({ id: 0, probability: 0.5 });
    expect(captionOf(chart)).toContain('What may follow 1 ␣Tom');
  });

  test('tells apart tokens that are spelt alike', async () => {
    const tokens = rowsIn(await topK(trace, { k: 4, tokenizer })).map(({ token }) => token);
    expect(tokens).toEqual(['␣Tom', '<0xE3>', 'a', 'a #0']);
  });

  test('of a trace without a tokenizer names the tokens of its text, others by id', async () => {
    expect(rowsIn(await topK(trace)).map(({ token }) => token)).toEqual(['␣Tom', '#2', '<s>', '␣a']);
  });

  test('takes the tokenizer of a run’s model', async () => {
    expect(rowsIn(await topK({ trace, model: { tokenizer } }))[0]).toMatchObject({ token: '␣Tom' });
  });

  test('leaves NaN out and says so', async () => {
    const broken = traceWith([{ name: 'result_output', shape: [1, 3], dims: DIMS, data: [Number.NaN, 1, 1] }]);
    const chart = await topK(broken);
    expect(rowsIn(chart).map(({ id, probability }) => [id, probability])).toEqual([
      [1, 0.5],
      [2, 0.5],
    ]);
    expect(captionOf(chart)).toContain('1 logits are NaN');
  });

  test('says which positions there are', async () => {
    await expect(topK(trace, { position: 3 })).rejects.toThrow('wanted one from 0 to 2, or -3 to -1');
  });

  test('compiles without a warning and says what is left over', async () => {
    const chart = await topK(trace, { k: 2, tokenizer });
    expect(warningsOf(chart)).toEqual([]);
    expect(captionOf(chart)).toContain('all others together 30 %');
    expect(chart.description).toContain('first ␣Tom with 40 %');
  });
});
