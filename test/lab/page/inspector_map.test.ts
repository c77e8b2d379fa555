import { describe, expect, test } from 'vitest';
import { fault } from '../../../src/engine/faults/index.ts';
import type { Transform } from '../../../src/engine/transforms/transform.ts';
import { bytesSource, joinBytes } from '../../../src/gguf/bytes.ts';
import { randomModel } from '../../../src/gguf/random_model.ts';
import { lens, openModelFrom } from '../../../src/index.ts';
import type { RowCard } from '../../../src/lab/inspector/requests/move.ts';
import type { StepCard } from '../../../src/lab/inspector/requests/open.ts';
import { colourAt, measures, shadesOf } from '../../../src/lab/page/inspector/map_colours.ts';
import { mapLayout } from '../../../src/lab/page/inspector/map_layout.ts';
import { nodePlatform } from '../../../src/node/index.ts';
import { statisticsOf } from '../../../src/trace/statistics.ts';

/** The steps of a random model with so many layers, and what transforms add. */
async function stepsOf(nLayer: number, ...transforms: Transform[]): Promise<StepCard[]> {
  const bytes = await joinBytes(
    randomModel({ nLayer, nEmbd: 32, nHead: 2, nHeadKv: 1, nFf: 32, nVocab: 320, type: 'F32', seed: 1 }),
  );
  const model = await openModelFrom(bytesSource('random.gguf', bytes), nodePlatform, { backend: 'reference' });
  return model.with(...transforms).steps.map(({ name, layer, op, inputs, params, dims }) => {
    return { name, layer, op, inputs, params, dims, formula: '', hook: null, hf: null };
  });
}

describe('the map', () => {
  test('has a row per layer, the embedding before them and the logits behind', async () => {
    const { rows } = mapLayout(await stepsOf(3));
    expect(rows.map(({ layer }) => layer)).toEqual([null, 0, 1, 2, null]);
    expect(rows.at(-1)?.cells.map(({ name }) => name)).toEqual(['result_norm', 'result_output']);
  });

  test.for([
    ['plain', []],
    ['with a lens after one layer', [lens({ layers: [1] })]],
    ['with a fault that adds a step', [fault('rope-on-v')]],
  ] as const)('%s holds every step once, no two in one place, roles in one column', async ([, transforms]) => {
    const steps = await stepsOf(3, ...transforms);
    const { rows, columns } = mapLayout(steps);
    const cells = rows.flatMap((row) => row.cells);
    expect(cells.map(({ name }) => name)).toEqual(steps.map(({ name }) => name));
    const places = cells.flatMap(({ row, column, span }) =>
      Array.from({ length: span }, (_, i) => `${row} ${column + i}`),
    );
    expect(new Set(places).size).toBe(places.length);
    for (const { layer, cells } of rows) {
      if (layer === null) continue;
      for (const { name, column } of cells) expect(columns[column]?.stem).toBe(name.replace(/-\d+$/, ''));
      const order = cells.map(({ column }) => column);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
  });

  test('attention and feed-forward are headed as groups that do not overlap', async () => {
    const { groups } = mapLayout(await stepsOf(1));
    expect(groups.map(({ label }) => label)).toEqual(['attention', 'feed-forward']);
    expect(groups[1]?.from).toBeGreaterThan(groups[0]?.to ?? Number.POSITIVE_INFINITY);
  });
});

describe('its colours', () => {
  const row = (name: string, pass: number, ...values: number[]): RowCard => ({
    ...{ name, pass, pos0: 0, shape: [values.length], hasValues: true },
    statistics: statisticsOf(Float32Array.from(values)),
  });
  const rms = measures[0] as (typeof measures)[number];

  test('go from the least to the greatest by factors, in one pass alone', () => {
    const { of, least, most } = shadesOf([row('a', 0, 1), row('b', 0, 10), row('c', 0, 100), row('d', 1, 1e9)], 0, rms);
    expect([least, most]).toEqual([1, 100]);
    expect([...of].map(([name, { at }]) => [name, at])).toEqual([
      ['a', 0],
      ['b', expect.closeTo(0.5)],
      ['c', 1],
    ]);
  });

  test('NaN and Inf are counted, and zeros are pale and do not stretch the scale', () => {
    const { of, least } = shadesOf(
      [row('a', 0, Number.NaN, 3, Number.POSITIVE_INFINITY), row('b', 0, 0), row('c', 0, 5)],
      0,
      rms,
    );
    expect(of.get('a')?.broken).toBe(2);
    expect(of.get('b')).toEqual({ at: 0, value: 0, broken: 0 });
    expect(least).toBe(3);
  });

  test('a run that has computed nothing has none', () => {
    expect(shadesOf([], 0, rms)).toEqual({ least: 0, most: 0, of: new Map() });
  });

  test('are light at one end and strong at the other, on both pages', () => {
    expect(colourAt(0, 'light')).toBe('rgb(226 236 248)');
    expect(colourAt(1, 'light')).toBe('rgb(7 87 176)');
    expect(colourAt(1, 'dark')).toBe('rgb(130 184 255)');
  });
});
