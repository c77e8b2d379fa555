import { describe, expect, test } from 'vitest';
import { samplerStages } from '../../src/charts/index.ts';
import { rowsIn, traceWith, warningsOf } from './specs.ts';

const stage = (name: string, kept: number, removed: number, rank: number, probability: number) => ({
  ...{ name, kept, removed, rank, probability },
});
const SAMPLED = [
  { token: 7, piece: ' Tom', position: 1, stages: [stage('logits', 300, 0, 1, 0.5)] },
  {
    ...{ token: 9, piece: ' ran', position: 2 },
    stages: [
      stage('logits', 300, 0, 3, 0.0625),
      stage('temperature', 300, 0, 3, 0.125),
      stage('topK', 4, 296, 3, 0.25),
    ],
  },
];
const trace = traceWith([], { pieces: ['<s>', ' Tom', ' ran'] }, { sampled: SAMPLED });

describe('samplerStages', () => {
  test('has what each stage left and where the drawn token stood, of the last token', async () => {
    const rows = rowsIn(await samplerStages(trace));
    expect(
      rows.map(({ stage, kept, removed, rank, probability }) => [stage, kept, removed, rank, probability]),
    ).toEqual([
      ['model’s logits', 300, 0, 3, 0.0625],
      ['temperature', 300, 0, 3, 0.125],
      ['top-k', 4, 296, 3, 0.25],
    ]);
    expect(rows[2]?.keptLabel).toBe('4 (296 removed)');
  });

  test('of another token by its index', async () => {
    expect((await samplerStages(trace, { index: 0 })).title).toMatchObject({ text: 'How ␣Tom was drawn after 0 <s>' });
  });

  test('says how to draw a token, and which were', async () => {
    await expect(samplerStages(traceWith([]))).rejects.toThrow('run.generate(1)');
    await expect(samplerStages(trace, { index: 2 })).rejects.toThrow('wanted one from 0 to 1');
  });

  test('compiles without a warning and tells the first and last rank', async () => {
    const chart = await samplerStages(trace);
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('began at rank 3 of 300 with 6.25 % and was drawn at rank 3 of 4 with 25 %');
  });
});
