import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Chart } from '../../../src/charts/index.ts';
import * as charts from '../../../src/charts/index.ts';
import { bundleOf } from '../../../src/notebook/display/bundle.ts';
import { smallRun } from './values.ts';

const LITE = 'https://vega.github.io/schema/vega-lite/v5.json';
const bars = {
  $schema: LITE,
  title: { text: ['Two', 'bars'] },
  description: 'A "bar" chart & more',
  data: { values: [{ a: 1, b: 'x' }] },
  mark: { type: 'bar', clip: true },
  encoding: {
    x: { field: 'a', type: 'quantitative' },
    y: { field: 'b', type: 'nominal' },
    color: { field: 'a', type: 'quantitative' },
  },
};

afterEach(() => void vi.restoreAllMocks());

describe('a Vega-Lite spec', () => {
  test('is sent as data, as SVG with a description, and as text', async () => {
    const data = (await bundleOf(bars))?.data;
    expect(Object.keys(data ?? {})).toEqual(['application/vnd.vegalite.v5+json', 'image/svg+xml', 'text/plain']);
    expect(data?.['application/vnd.vegalite.v5+json']).toEqual(bars);
    expect(data?.['image/svg+xml']).toMatch(/^<svg role="img" aria-label="A &#34;bar&#34; chart &#38; more" xmlns=/);
    expect(data?.['image/svg+xml']).toContain('Two');
    expect(data?.['text/plain']).toBe('Two bars\nA "bar" chart & more');
  });

  test.each(['v5', 'v6', 'v6.4.3'])('of version %s is known by its schema', async (version) => {
    const data = (await bundleOf({ ...bars, $schema: LITE.replace('v5', version) }))?.data;
    expect(data).toHaveProperty('application/vnd.vegalite.v5+json');
  });

  test('without data, title or description still shows', async () => {
    const data = (await bundleOf({ $schema: LITE, mark: 'point', encoding: {} }))?.data;
    expect(data?.['image/svg+xml']).toContain('aria-label="Chart"');
    expect(data?.['text/plain']).toBe('A chart without title or description');
  });

  test('is the same SVG whenever it is drawn, with ids that no other chart has', async () => {
    const svgOf = async (spec: unknown) => (await bundleOf(spec))?.data['image/svg+xml'] as string;
    const idsOf = (svg: string) => [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id as string);
    const [first, other] = [await svgOf(bars), await svgOf({ ...bars, title: 'Other' })];
    expect(await svgOf(bars)).toBe(first);
    expect(idsOf(first).length).toBeGreaterThan(0);
    expect(idsOf(first).filter((id) => idsOf(other).includes(id))).toEqual([]);
    for (const [, used] of first.matchAll(/url\(#([^)]+)\)/g)) expect(idsOf(first)).toContain(used);
  });

  test('that cannot be compiled or drawn is an error that says why, shortly, and kills nothing', async () => {
    const noMark = { $schema: LITE, title: 'Mine', data: { values: new Array(1000).fill({ a: 1 }) } };
    const error = await bundleOf(noMark).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ name: 'UsageError' });
    expect((error as Error).message).toMatch(/^Cannot draw the chart “Mine”: Invalid specification .*…\nMend the spec/);
    expect((error as Error).message.length).toBeLessThan(600);
    const badExpression = { ...bars, transform: [{ calculate: 'datum.a +', as: 'c' }] };
    await expect(bundleOf(badExpression)).rejects.toThrow(/^Cannot draw the chart “Two bars”: /);
    expect(await bundleOf(bars)).not.toBeNull();
  });

  test('that Vega-Lite warns of is drawn, and the warning is said', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await bundleOf({ ...bars, encoding: { ...bars.encoding, nonsense: { field: 'a' } } });
    expect(warn.mock.calls.flat().join(' ')).toContain('nonsense');
  });
});

test('a Vega spec is sent as Vega', async () => {
  const spec = {
    $schema: 'https://vega.github.io/schema/vega/v5.json',
    description: 'Empty',
    width: 10,
    height: 10,
    marks: [],
  };
  const data = (await bundleOf(spec))?.data;
  expect(data?.['application/vnd.vega.v5+json']).toEqual(spec);
  expect(data?.['image/svg+xml']).toMatch(/^<svg role="img" aria-label="Empty"/);
});

test('a schema of something else makes no chart', async () => {
  const data = (await bundleOf({ $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'x' }))?.data;
  expect(Object.keys(data ?? {})).toEqual(['text/plain']);
});

test('our own charts draw without a word from Vega', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const run = await (await smallRun()).generate(2, { stopAtEnd: false });
  const drawn: Promise<Chart>[] = [
    charts.attention(run, { layer: 0, head: 1 }),
    charts.attentionGrid(run),
    charts.rmsGrowth(run),
    charts.topK(run, { position: -2 }),
    charts.samplerStages(run),
  ];
  for (const chart of drawn) {
    const data = (await bundleOf(chart))?.data;
    const { description } = (await chart) as { description?: string };
    expect(description).toBeTruthy();
    expect(data?.['text/plain']).toContain(description);
    expect(data?.['image/svg+xml']).toMatch(/^<svg role="img"/);
  }
  expect(warn.mock.calls).toEqual([]);
});
