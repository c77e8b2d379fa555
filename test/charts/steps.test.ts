import { describe, expect, test } from 'vitest';
import { steps } from '../../src/charts/index.ts';
import type { Step } from '../../src/ops/step.ts';
import { captionOf, rowsIn, traceWith, warningsOf } from './specs.ts';

const step = (name: string, layer: number | null, op: string, inputs: Step['inputs'], writes?: string): Step => ({
  ...{ name, layer, op, inputs, params: {}, dims: ['token', 'embd'] },
  ...(writes ? { writes } : {}),
});
/** Reads what was before, writes a cache slot, reads the slot and what was before. */
const LIST = [
  step('embd', null, 'get_rows', { tokens: 'tokens', weight: 'token_embd.weight' }),
  step('Kcur-0', 0, 'mul_mat', { x: 'embd', weight: 'blk.0.attn_k.weight' }, 'cache_k-0'),
  step('kq-0', 0, 'kq', { q: 'embd', k: 'cache_k-0' }),
  step('l_out-1', 1, 'add', { a: 'kq-0', b: 'kq-0' }),
];
const begun = {
  steps: LIST,
  next: LIST[2] as Step,
  trace: traceWith([
    { name: 'embd', shape: [3, 2], data: new Float32Array(6) },
    { name: 'Kcur-0', shape: [3, 2], data: new Float32Array(6) },
  ]),
};

describe('steps', () => {
  test('has the steps of a layer after what they read, each with its state, formula and shape', async () => {
    const rows = rowsIn(await steps(begun)).filter((row) => 'state' in row);
    expect(rows.map(({ name, state, shape }) => [name, state, shape])).toEqual([
      ['embd', 'from before', 'token 3 × embd 2'],
      ['Kcur-0', 'done', 'token 3 × embd 2'],
      ['kq-0', 'next', 'token × embd'],
    ]);
    expect(rows[1]?.formula).toMatch(/^mul_mat: y\[t,n\] = /);
    expect(rows[1]?.inputs).toBe('x = embd, weight = blk.0.attn_k.weight');
  });

  test('leads an arc from each step to those that read it, also by way of a cache', async () => {
    const arcs = rowsIn(await steps(begun)).filter((row) => 'arc' in row);
    expect([...new Set(arcs.map(({ arc }) => arc))]).toEqual(['embd → Kcur-0', 'embd → kq-0', 'cache_k-0 → kq-0']);
    const last = arcs.filter(({ arc }) => arc === 'cache_k-0 → kq-0');
    expect(last.map(({ row }) => row)).toEqual([1, 1, 2, 2]);
  });

  test('of a model nothing has run, and any step can be highlighted', async () => {
    const rows = rowsIn(await steps({ steps: LIST }, { current: 'Kcur-0' })).filter((row) => 'state' in row);
    expect(rows.map(({ state }) => state)).toEqual(['from before', 'next', 'not yet run']);
  });

  test('moves the other columns right where a name is long', async () => {
    const columnsOf = async (name: string) => {
      const chart = await steps({ steps: [step(name, 0, 'add', {})] });
      const { layer } = chart as unknown as { layer: { encoding: { x: { datum?: number } } }[] };
      return layer.slice(2).map(({ encoding }) => encoding.x.datum as number);
    };
    expect(await columnsOf('kq-0')).toEqual([1, 20, 46]);
    const [name, shape, formula] = (await columnsOf('attribution_heads_direction-0')) as [number, number, number];
    expect(name).toBe(1);
    expect(shape).toBeGreaterThan(25);
    expect(formula - shape).toBe(26);
  });

  test('says which layers and steps there are', async () => {
    await expect(steps(begun, { layer: 2 })).rejects.toThrow('layers 0 to 1');
    await expect(steps(begun, { current: 'l_out-1' })).rejects.toThrow('the steps of layer 0 have Kcur-0, kq-0');
  });

  test.each([0, 1, null])('of layer %s compiles without a warning and has alternative text', async (layer) => {
    const chart = await steps(begun, { layer });
    expect(warningsOf(chart)).toEqual([]);
    expect(captionOf(chart)).toContain('from top to bottom');
    expect(chart.description).toContain('Diagram of the');
  });
});
