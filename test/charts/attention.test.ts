import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import { describe, expect, test } from 'vitest';
import { attention } from '../../src/charts/index.ts';
import { captionOf, type Given, rowsIn, traceWith, warningsOf } from './specs.ts';

const DIMS = ['head', 'token', 'key'];
const MANIFEST = { tokens: [1, 7, 8, 7], pieces: ['<s>', ' Tom', '<0xE3>', ' Tom'] };

/** Two heads over three tokens; head 0 looks at itself, head 1 at the first token. Masked cells hold 9, to be found. */
const prefill: Given = {
  ...{ name: 'kq_soft_max-0', shape: [2, 3, 3], dims: DIMS },
  data: [1, 9, 9, 0, 1, 9, 0, 0, 1, /* head 1 */ 1, 9, 9, 0.75, 0.25, 9, 0.5, 0.25, 0.25],
};
const decoded: Given = {
  ...{ name: 'kq_soft_max-0', shape: [2, 1, 4], dims: DIMS, pass: 1, pos0: 3 },
  data: [0, 0, 0, 1, 0.25, 0.25, 0.25, 0.25],
};
const trace = traceWith([prefill, decoded], MANIFEST);

/** One head that looks at itself only. */
function identity(n: number) {
  const data = new Float32Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return traceWith([{ name: 'kq_soft_max-0', shape: [1, n, n], dims: DIMS, data }]);
}

describe('attention', () => {
  test('has a cell for each key up to the query, of every pass, and none that is masked', async () => {
    const rows = rowsIn(await attention(trace, { layer: 0, head: 1 }));
    expect(rows).toHaveLength(1 + 2 + 3 + 4);
    expect(rows.filter(({ query }) => query === '1 ␣Tom')).toEqual([
      { query: '1 ␣Tom', key: '0 <s>', weight: 0.75 },
      { query: '1 ␣Tom', key: '1 ␣Tom', weight: 0.25 },
    ]);
    expect(rows.at(-1)).toEqual({ query: '3 ␣Tom', key: '3 ␣Tom', weight: 0.25 });
    expect(rows.filter(({ weight }) => weight === 9)).toEqual([]);
  });

  test('tells repeated tokens apart and shows bytes as they are spelt', async () => {
    const { encoding } = (await attention(trace, { layer: 0, head: 0 })) as { encoding: { x: { sort: string[] } } };
    expect(encoding.x.sort).toEqual(['0 <s>', '1 ␣Tom', '2 <0xE3>', '3 ␣Tom']);
  });

  test('draws long texts in blocks whose rows still add up to 1, says so, and stays small', async () => {
    const chart = await attention(identity(2000), { layer: 0, head: 0 });
    const rows = rowsIn(chart);
    expect(rows).toHaveLength((100 * 101) / 2);
    expect(rows.filter(({ query }) => query === '20–39')).toEqual([
      { query: '20–39', key: '0–19', weight: 0 },
      { query: '20–39', key: '20–39', weight: 1 },
    ]);
    expect(captionOf(chart)).toContain('blocks of 20 tokens');
    expect(captionOf(chart)).toContain('square root scale');
    expect(JSON.stringify(chart)).toContain('"type":"sqrt"');
    expect(JSON.stringify(chart).length).toBeLessThan(2e6);
  });

  test('says nothing of blocks where every token has its row', async () => {
    const chart = await attention(identity(100), { layer: 0, head: 0 });
    expect(captionOf(chart)).not.toMatch(/blocks|square root/);
    expect(JSON.stringify(chart)).toContain('"type":"linear"');
  });

  test('a click keeps the token of its row: where it looks and who looks at it', async () => {
    const chart = await attention(trace, { layer: 0, head: 0 });
    const view = new View(parse(compile(chart).spec), { renderer: 'none' });
    await view.runAsync();
    expect(await opaque(view)).toHaveLength(10);
    view.signal('token_tuple', { unit: '', fields: view.signal('token_tuple_fields'), values: ['2 <0xE3>'] });
    expect(await opaque(view)).toEqual([
      ['2 <0xE3>', '0 <s>'],
      ['2 <0xE3>', '1 ␣Tom'],
      ['2 <0xE3>', '2 <0xE3>'],
      ['3 ␣Tom', '2 <0xE3>'],
    ]);
  });

  test('says which heads there are, and how to get to a layer that was not run', async () => {
    await expect(attention(trace, { layer: 0, head: 2 })).rejects.toThrow('heads 0 to 1');
    await expect(attention(trace, { layer: 1, head: 0 })).rejects.toThrow("run.to('kq_soft_max-1')");
  });

  test('compiles without a warning and names the strongest link in its alternative text', async () => {
    const chart = await attention(trace, { layer: 0, head: 1 });
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('on average 50 % goes to 0 <s>');
  });
});

interface Item {
  readonly opacity: number;
  readonly datum: { readonly query: string; readonly key: string };
}

/** Query and key of the cells that are drawn in full. */
async function opaque(view: View): Promise<string[][]> {
  await view.runAsync();
  const root = view.scenegraph() as unknown as { root: { items: { items: { name: string; items: Item[] }[] }[] } };
  const marks = root.root.items[0]?.items.find(({ name }) => name === 'marks');
  return (marks?.items ?? []).filter(({ opacity }) => opacity === 1).map(({ datum }) => [datum.query, datum.key]);
}
