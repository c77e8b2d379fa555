import { describe, expect, test } from 'vitest';
import { rmsGrowth } from '../../src/charts/index.ts';
import { captionOf, type Given, rowsIn, traceWith, warningsOf } from './specs.ts';

const MANIFEST = { tokens: [1, 7], pieces: ['<s>', ' Tom'] };
const layer = (i: number, scale: number): Given[] => [
  { name: `attn_out-${i}`, shape: [2, 2], data: [scale, 0, 0, scale] },
  { name: `ffn_out-${i}`, shape: [2, 2], data: [0, scale, scale, 0] },
  { name: `l_out-${i}`, shape: [2, 2], data: [3 * scale, 4 * scale, 3 * scale, 4 * scale] },
];
const twoLayers = traceWith([...layer(0, 1), ...layer(1, 10)], MANIFEST);

describe('rmsGrowth', () => {
  test('has the RMS of l_out, attn_out and ffn_out at each layer', async () => {
    const rows = rowsIn(await rmsGrowth(twoLayers));
    expect(rows.map(({ name }) => name)).toEqual([
      'l_out-0',
      'l_out-1',
      'attn_out-0',
      'attn_out-1',
      'ffn_out-0',
      'ffn_out-1',
    ]);
    expect(rows[1]).toMatchObject({ layer: 1, run: 'this run' });
    expect(rows[1]?.rms).toBeCloseTo(10 * Math.sqrt(12.5), 3);
    expect(rows[2]?.rms).toBeCloseTo(Math.sqrt(0.5), 5);
  });

  test('takes a run for its trace', async () => {
    expect(await rmsGrowth({ trace: twoLayers })).toEqual(await rmsGrowth(twoLayers));
  });

  test('adds the passes of a name up, each by its size', async () => {
    const passes = traceWith([
      { name: 'l_out-0', shape: [2, 1], data: [1, 1] },
      { name: 'l_out-0', shape: [1, 1], data: [5], pass: 1, pos0: 2 },
    ]);
    expect(rowsIn(await rmsGrowth(passes))).toEqual([
      expect.objectContaining({ name: 'l_out-0', rms: 3 }), // sqrt((1 + 1 + 25) / 3)
    ]);
  });

  test('says what a log scale cannot show and what was no number', async () => {
    const broken = traceWith([
      { name: 'attn_out-0', shape: [1, 2], data: [0, 0] },
      { name: 'l_out-0', shape: [1, 2], data: [Number.NaN, 2] },
    ]);
    const chart = await rmsGrowth(broken);
    expect(captionOf(chart)).toContain('All zero, so not drawn: attn_out-0');
    expect(captionOf(chart)).toContain('NaN or Inf, left out of the RMS: l_out-0');
    expect(rowsIn(chart).map(({ name }) => name)).toEqual(['l_out-0']);
  });

  test('with a reference it has cosine and relative RMS error of each tensor', async () => {
    const turned = traceWith(
      [...layer(0, 1), { name: 'attn_out-1', shape: [2, 2], data: [0, 10, 10, 0] }, ...layer(1, 10).slice(1)],
      MANIFEST,
    );
    const chart = await rmsGrowth(turned, { reference: twoLayers });
    const compared = rowsIn(chart).filter((row) => 'cosine' in row);
    const at = (name: string) => compared.find((row) => row.name === name);
    expect(at('attn_out-1')).toMatchObject({ cosine: 0 });
    expect(at('attn_out-1')?.error).toBeCloseTo(Math.SQRT2, 6);
    expect(at('l_out-1')).toMatchObject({ cosine: 1, error: 0, drawn: 1e-8 });
    const rms = (run: string) => rowsIn(chart).find((row) => row.run === run && row.name === 'attn_out-1')?.rms;
    expect(rms('this run')).toBe(rms('reference'));
  });

  test('takes a reference of which a token was drawn and not yet run', async () => {
    const drawn = traceWith([...layer(0, 1), ...layer(1, 10)], { ...MANIFEST, tokens: [...MANIFEST.tokens, 9] });
    expect(rowsIn(await rmsGrowth(twoLayers, { reference: drawn })).some((row) => 'cosine' in row)).toBe(true);
  });

  test('refuses a reference over other tokens and says where they part', async () => {
    const other = traceWith(layer(0, 1), { tokens: [1, 8] });
    await expect(rmsGrowth(twoLayers, { reference: other })).rejects.toThrow(
      'part at position 1, token 7 here and 8 there',
    );
  });

  test('of a run that has done no layer, says how to go on', async () => {
    await expect(rmsGrowth(traceWith([{ name: 'embd', shape: [1, 2], data: [1, 2] }]))).rejects.toThrow(
      "run.to('l_out-0')",
    );
  });

  test.each([{}, { reference: twoLayers }])(
    'compiles without a warning and has alternative text %#',
    async (options) => {
      const chart = await rmsGrowth(twoLayers, options);
      expect(warningsOf(chart)).toEqual([]);
      expect(chart.description).toContain('from 3.54 after layer 0 to 35.4 after layer 1');
      expect(captionOf(chart)).toContain('2 tokens');
    },
  );
});
