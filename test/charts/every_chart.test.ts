/**
 * What all charts have in common, chart by chart: valid Vega-Lite v5, nothing unlabelled, small however long the text is,
 * an error with a cure where a tensor is missing, and the same picture as before.
 *
 * Pictures are test/charts/snapshots/*.svg. A chart that was changed on purpose: `npm test -- test/charts -u` writes them
 * anew; look at each that changed before it is committed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { compile } from 'vega-lite';
import { beforeAll, describe, expect, test } from 'vitest';
import { CATEGORIES, DIVERGING, SEQUENTIAL } from '../../src/charts/chart.ts';
import { attribution, charts, lens, type Run } from '../../src/node/index.ts';
import { agree, bugOf } from '../compare/comparisons.ts';
import { openRandom } from '../engine/models.ts';
import { everyChart, type Runs, runsOfShipped } from './every_chart.ts';
import { svgOf, warningsOf } from './specs.ts';

const MOST_BYTES = 2e6;

/** Read before any test writes one. */
const pictures = readdirSync(new URL('snapshots/', import.meta.url));
const pictureOf = (title: string) => `${title.replaceAll(' ', '_')}.svg`;

let runs: Runs;
beforeAll(async () => {
  runs = await runsOfShipped();
});

test('every function of charts is in the list', () => {
  const listed = new Set(everyChart.map(({ title }) => title.split(' ')[0]));
  expect([...listed].sort()).toEqual(Object.keys(charts).sort());
});

test('every chart in the list has its picture, and there are no others', () => {
  expect(pictures.sort()).toEqual(everyChart.map(({ title }) => pictureOf(title)).sort());
});

describe.each(everyChart)('$title', ({ title, draw }) => {
  test('is valid against the schema of Vega-Lite v5, and compiles without a warning', async () => {
    const chart = await draw(runs);
    expect(chart.$schema).toBe('https://vega.github.io/schema/vega-lite/v5.json');
    // As it is sent: JSON, in which what is undefined is not there.
    expect(validity(JSON.parse(JSON.stringify(chart)))).toEqual([]);
    expect(warningsOf(chart)).toEqual([]);
  });

  test('has a title, a subtitle and a sentence of alternative text', async () => {
    const { title: caption, description } = await draw(runs);
    const { text, subtitle } = caption as { text: string; subtitle: string[] };
    expect(text).toMatch(/\S/);
    expect(subtitle.length).toBeGreaterThan(0);
    expect(description).toMatch(/^[A-Z].{30,}\.$/s);
    expect(`${text}${subtitle.join('')}${description}`).not.toMatch(/undefined|NaN|\[object/);
  });

  test('gives each axis and each legend a title, and a quantity its unit', async () => {
    const { axes, legends } = guidesIn(compile(await draw(runs)).spec);
    for (const { title } of [...axes, ...legends]) expect(title).toMatch(/\S/);
    for (const { title, scale } of axes.filter(({ isQuantity }) => isQuantity)) expect(title, scale).toMatch(UNITS);
  });

  test('has a tooltip on every mark, each field with a title', async () => {
    const units = unitsIn(await draw(runs));
    expect(units.length).toBeGreaterThan(0);
    for (const { mark, encoding } of units) {
      const tooltips = [encoding.tooltip ?? []].flat() as { title?: string }[];
      expect(tooltips.length, JSON.stringify(mark)).toBeGreaterThan(0);
      for (const tooltip of tooltips) expect(tooltip.title).toMatch(/\S/);
    }
  });

  test('colours by the scales that all kinds of colour vision tell apart, and no other', async () => {
    for (const { encoding } of unitsIn(await draw(runs))) {
      const { field, scale } = (encoding.color ?? {}) as Coloured;
      if (field === undefined) continue;
      if (scale?.scheme) expect([SEQUENTIAL, DIVERGING]).toContain(scale.scheme);
      else for (const colour of scale?.range ?? ['none']) expect([...CATEGORIES, ...LIGHT]).toContain(colour);
    }
  });

  test('is the picture that was looked at', async () => {
    const svg = settled(await svgOf(await draw(runs)));
    await expect(svg).toMatchFileSnapshot(`snapshots/${pictureOf(title)}`);
  });
});

describe('of a text of 2,000 tokens', () => {
  let long: Runs;
  beforeAll(async () => {
    const sizes = { nLayer: 2, nEmbd: 40, nHead: 5, nHeadKv: 1, nFf: 32, nCtx: 2048 };
    const model = (await openRandom('reference', sizes)).with(lens(), attribution({ token: 17, versus: 40 }));
    const tokens = Array.from({ length: 2000 }, (_, i) => 3 + ((i * 7919) % 290));
    const run = await model.start(tokens, { budget: 1e9, select: SELECT }).generate(1, { stopAtEnd: false });
    const comparison = bugOf({ nLayer: 160 });
    long = { ...every(run), comparison, turned: comparison, candidates: [17, 40, 50] };
  });

  test.each(everyChart)('$title stays under 2 MB, as JSON and as SVG', async ({ draw }) => {
    const chart = await draw(long);
    expect(Buffer.byteLength(JSON.stringify(chart))).toBeLessThan(MOST_BYTES);
    expect(Buffer.byteLength(await svgOf(chart))).toBeLessThan(MOST_BYTES);
  });
});

describe('without what it draws', () => {
  const startedWith = async (select: string, moved: boolean): Promise<Runs> => {
    const model = (await openRandom('reference', { nHead: 8, nHeadKv: 2 })).with(lens(), attribution({ token: 17 }));
    const run = model.start([1, 40, 77, 105], { select });
    if (moved) await run.toEnd();
    return { ...every(run), comparison: agree, turned: agree, candidates: [17] };
  };
  const errorOf = async (draw: (given: Runs) => Promise<charts.Chart>, given: Runs): Promise<string | null> =>
    draw(given).then(
      () => null,
      (error: Error) => error.message,
    );

  // Drawn of a trace: `steps` shows what has not run, the others draw what was made of runs that are over.
  const ofTraces = everyChart.filter(
    ({ title }) => !/^(steps|precisionLadder|detectionMatrix|errorGrowth|rmsBeside)$/.test(title),
  );
  test.each(ofTraces)('$title, of a run that has not begun, says how to get there', async ({ draw }) => {
    const message = await errorOf(draw, await startedWith('all', false));
    expect(message).toMatch(/^Cannot draw .*run\.(to|generate)\(/s);
  });

  const needValues = ofTraces.filter(
    ({ title }) => !/^(differenceGrowth|samplerStages|rmsGrowth|topK|logitsBeside)$/.test(title),
  );
  test.each(needValues)('$title, of values that were not kept, names select', async ({ draw }) => {
    expect(await errorOf(draw, await startedWith('none', true))).toMatch(/^Cannot .*select: '/s);
  });

  test('of a run in the middle, charts by layer draw the layers that were run, and one of a later layer says how to get there', async () => {
    const model = await openRandom('reference');
    const run = await model.start([1, 40, 77]).layer(0);
    expect(unitsIn(await charts.rmsGrowth(run))[0]).toBeDefined();
    expect((await charts.attentionGrid(run)).title).toMatchObject({ text: 'Where the 4 heads of layer 0 look' });
    await expect(charts.attention(run, { layer: 1, head: 0 })).rejects.toThrow("run.to('kq_soft_max-1')");
    await expect(charts.topK(run)).rejects.toThrow("run.to('result_output')");
    await run.toEnd();
    await expect(charts.attention(run, { layer: 3, head: 0 })).rejects.toThrow('its layers are 0 to 2');
  });
});

/** One run in every part. */
const every = (run: Run) => ({ run, begun: run, drawn: run, bare: run, rounded: run, changed: run });

/** What charts draw of a long run; its attention scores and the like would take gigabytes. */
const SELECT = [
  'embd',
  'kq_soft_max-*',
  'kq-*',
  '{Q,K}cur_rope-*',
  'l_out-*',
  'attn_out-*',
  'ffn_out-*',
  'lens_*',
  'attribution_*',
  'result_output',
];

/** Fills of the step diagram: told apart by lightness, and by a legend that frames them. */
const LIGHT = ['#cfe6f7', '#ececec', '#ffffff'];

/** A quantity says its unit or its scale in brackets, or is a pure number by its name. */
const UNITS = /\(.+\)|^(after )?layer$|^probability/;

const GEOMETRY = / (?:d|transform|x|y|x1|x2|y1|y2|width|height|viewBox)="[^"]*"/g;

interface Coloured {
  readonly field?: string;
  readonly scale?: { readonly scheme?: string; readonly range?: readonly string[] };
}

const require = createRequire(import.meta.url);
const schema = JSON.parse(readFileSync(require.resolve('vega-lite-5/build/vega-lite-schema.json'), 'utf8'));
// The schema names formats of its own, such as color-hex, and types that overlap.
const isValid = new Ajv({ strict: false, validateFormats: false, allErrors: false }).compile(schema);

function validity(spec: unknown): unknown[] {
  return isValid(spec) ? [] : (isValid.errors ?? []);
}

interface Unit {
  readonly mark: unknown;
  /** Its own and what it has from the views around it. */
  readonly encoding: Readonly<Record<string, unknown>>;
}

/** Every mark of a spec, wherever it is. */
function unitsIn(spec: unknown, around: Unit['encoding'] = {}): Unit[] {
  const view = spec as Readonly<Record<string, unknown>>;
  const encoding = { ...around, ...(view.encoding as Unit['encoding'] | undefined) };
  const inner = [view.layer, view.hconcat, view.vconcat, view.concat].flatMap((views) =>
    Array.isArray(views) ? views : [],
  );
  return [
    ...(view.mark === undefined ? [] : [{ mark: view.mark, encoding }]),
    ...[...inner, ...(view.spec ? [view.spec] : [])].flatMap((each) => unitsIn(each, encoding)),
  ];
}

interface Guide {
  readonly title?: string;
  readonly scale: string;
  readonly isQuantity: boolean;
}

/** The axes that have labels, and the legends, of a compiled spec. */
function guidesIn(vega: unknown): { axes: Guide[]; legends: Guide[] } {
  const [axes, legends]: [Guide[], Guide[]] = [[], []];
  const scales = new Map<string, string>();
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    const group = part as Readonly<Record<string, unknown>>;
    for (const { name, type } of (group.scales ?? []) as { name: string; type: string }[]) scales.set(name, type);
    for (const axis of (group.axes ?? []) as { title?: string; labels?: boolean; scale: string }[]) {
      const isQuantity = !['band', 'point', 'ordinal'].includes(scales.get(axis.scale) ?? '');
      if (axis.labels !== false) axes.push({ ...axis, isQuantity });
    }
    for (const legend of (group.legends ?? []) as { title?: string; fill?: string; stroke?: string }[])
      legends.push({ ...legend, scale: legend.fill ?? legend.stroke ?? '', isQuantity: false });
    for (const inner of (group.marks ?? []) as unknown[]) visit(inner);
  };
  visit(vega);
  return { axes, legends };
}

/** A picture without what another machine's last bit may change: lengths to a tenth of a pixel. */
function settled(svg: string): string {
  const tenth = (number: string) => `${Number(Number(number).toFixed(1))}`;
  const rounded = svg.replace(GEOMETRY, (attribute) => attribute.replace(/-?\d+\.\d+(?:e-?\d+)?/g, tenth));
  return `${rounded.replaceAll('><', '>\n<')}\n`;
}
