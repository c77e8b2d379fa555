import { describe, expect, test } from 'vitest';
import { qk } from '../../src/charts/index.ts';
import { qkTerms } from '../../src/charts/qk_terms.ts';
import { change } from '../../src/engine/transforms/change.ts';
import { backends, openRandom } from '../engine/models.ts';
import { captionOf, type Row, rowsIn, traceWith, warningsOf } from './specs.ts';

const HEADS = ['token', 'head', 'dim'];
const SCORES = ['head', 'token', 'key'];

/** Two heads of four dimensions over two tokens, which share one key head. Head 1 of token 1: q = 1 2 3 4, k of token 0 = 1 0 -1 2. */
const given = [
  { name: 'Qcur_rope-0', shape: [2, 2, 4], dims: HEADS, data: [...Array(12).fill(0), 1, 2, 3, 4] },
  { name: 'Kcur_rope-0', shape: [2, 1, 4], dims: HEADS, data: [1, 0, -1, 2, 0, 0, 0, 0] },
  { name: 'kq-0', shape: [2, 2, 2], dims: SCORES, data: [0, 0, 0, 0, 0, 0, 6, 0] },
];
// 6 / √4 = 3 against 0: e³ / (e³ + 1).
const share = Math.exp(3) / (Math.exp(3) + 1);
const pattern = { name: 'kq_soft_max-0', shape: [2, 2, 2], dims: SCORES, data: [1, 0, 1, 0, 1, 0, share, 1 - share] };
const manifest = { pieces: ['<s>', ' Tom'] };
const trace = traceWith([...given, pattern], manifest);
const place = { layer: 0, head: 1, query: 1, key: 0 };

/** The bars of the upper panel. */
const terms = (rows: readonly Row[]) => rows.filter(({ product }) => product !== undefined).slice(0, 4);

describe('qk', () => {
  test('takes a score apart: each q · k, their running sum, and the share of attention it becomes', async () => {
    const chart = await qk(trace, { ...place, order: 'size' });
    expect(terms(rowsIn(chart)).map(({ dimension, q, k, product, sum }) => [dimension, q, k, product, sum])).toEqual([
      ['3', 4, 2, 8, 8],
      ['2', 3, -1, -3, 5],
      ['0', 1, 1, 1, 6],
      ['1', 2, 0, 0, 6],
    ]);
    expect(captionOf(chart)).toContain(
      'q · k over 4 dimensions is 6; times 1/√4 that is 3, and the softmax over 2 keys makes it 95.3 %',
    );
    expect(captionOf(chart)).toContain('2 heads ask key head 0');
    expect(captionOf(chart)).not.toContain('But the run');
    expect(warningsOf(chart)).toEqual([]);
  });

  test('in the order of the vector pairs of RoPE lie side by side, every other pair on grey', async () => {
    const rows = rowsIn(await qk(trace, place)).filter(({ product }) => product !== undefined);
    const [zebra, bars] = [rows.slice(0, 2), rows.slice(2, 6)];
    expect(bars.map(({ dimension, pair, sum }) => [dimension, pair, sum])).toEqual([
      ['0', 0, 1],
      ['1', 0, 1],
      ['2', 1, -2],
      ['3', 1, 6],
    ]);
    expect(zebra.map(({ dimension }) => dimension)).toEqual(['2', '3']);
  });

  test('says so where the run has another score or another share than its q and k give', async () => {
    const other = { ...given[2], data: [0, 0, 0, 0, 0, 0, 5, 0] } as (typeof given)[number];
    const changed = traceWith([...given.slice(0, 2), other, pattern], manifest);
    expect(captionOf(await qk(changed, place))).toContain('But the run has the score 5');
    const unscaled = { ...pattern, data: [1, 0, 1, 0, 1, 0, 0.9975, 0.0025] };
    expect(captionOf(await qk(traceWith([...given, unscaled], manifest), place))).toContain(
      'But the run has a share of 99.8 %',
    );
  });

  test('a key after the query, a head that is not there and a layer that was not run are refused', async () => {
    await expect(qk(trace, { ...place, query: 0, key: 1 })).rejects.toThrow(
      'found query 0 and key 1; wanted a query from 0 to 1',
    );
    await expect(qk(trace, { ...place, head: 2 })).rejects.toThrow('heads 0 to 1');
    await expect(qk(trace, { ...place, layer: 1 })).rejects.toThrow("run.to('kq_soft_max-1')");
  });
});

describe.each(backends)('of a run on %s', (backend) => {
  test('the terms add up to kq and lead to kq_soft_max, for every head and pair of tokens, over passes too', async () => {
    const run = (await openRandom(backend)).start([1, 40, 77]);
    await (await run.generate(2, { stopAtEnd: false })).toEnd();
    let compared = 0;
    for (let head = 0; head < 4; head++) {
      for (let query = 0; query < 5; query++) {
        for (let key = 0; key <= query; key++) {
          const found = await qkTerms(run.trace, { layer: 1, head, query, key });
          const magnitude = found.products.reduce((sum, product) => sum + Math.abs(product), 0);
          // One rounding to f32 for each product and sum: 16 dimensions at 6e-8.
          expect(Math.abs(found.score - found.recorded)).toBeLessThan(2e-6 * magnitude);
          expect(Math.abs(found.weight - found.recordedWeight)).toBeLessThan(2e-6);
          expect(found.headKv).toBe(Math.floor(head / 2));
          compared++;
        }
      }
    }
    expect(compared).toBe(4 * 15);
  });

  test('a score that was changed shows as one that its own q and k do not give', async () => {
    const model = (await openRandom(backend)).with(change('kq-1', { how: 'scale', by: 2, head: 0 }));
    const run = await model.start([1, 40, 77]).toEnd();
    const at = { layer: 1, query: 2, key: 1 };
    expect(captionOf(await qk(run, { ...at, head: 0 }))).toContain('But the run has the score');
    expect(captionOf(await qk(run, { ...at, head: 1 }))).not.toContain('But the run');
  });
});
