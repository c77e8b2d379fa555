import { describe, expect, test } from 'vitest';
import { residualNorm } from '../../src/charts/index.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const trace = traceWith(
  [
    { name: 'l_out-0', shape: [2, 2], data: [3, 4, 0, 1] },
    { name: 'l_out-0', shape: [1, 2], data: [6, 8], pass: 1, pos0: 2 },
  ],
  { pieces: ['<s>', ' Tom', ' Tom'] },
);

describe('residualNorm', () => {
  test('has the L2 norm of each token at each layer, over all passes', async () => {
    expect(rowsIn(await residualNorm(trace))).toEqual([
      { layer: 0, token: '0 <s>', norm: 5 },
      { layer: 0, token: '1 ␣Tom', norm: 1 },
      { layer: 0, token: '2 ␣Tom', norm: 10 },
    ]);
  });

  test('of a long text draws means over blocks and says so', async () => {
    const data = Float32Array.from({ length: 400 }, (_, i) => (i < 3 ? i : 1));
    const chart = await residualNorm(traceWith([{ name: 'l_out-0', shape: [400, 1], data }]));
    expect(rowsIn(chart)).toHaveLength(134);
    expect(rowsIn(chart)[0]).toEqual({ layer: 0, token: '0–2', norm: 1 });
    expect(captionOf(chart)).toContain('blocks of 3 tokens');
  });

  test('names the least, the middle and the largest norm beside its colours, if they differ', async () => {
    const colour = async (data: number[]) => {
      const chart = await residualNorm(traceWith([{ name: 'l_out-0', shape: [data.length, 1], data }]));
      return (chart as unknown as { encoding: { color: { scale: object; legend: object } } }).encoding.color;
    };
    const spread = await colour([1, 3, 100]);
    expect(spread.scale).toMatchObject({ domain: [1, 100] });
    expect(spread.legend).toMatchObject({ values: [1, 10, 100] });
    for (const data of [[2, 2], [0]]) expect((await colour(data)).scale).not.toHaveProperty('domain');
  });

  test('compiles without a warning and names the largest', async () => {
    const chart = await residualNorm(trace);
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('the largest is 10, at 2 ␣Tom after layer 0');
  });
});
