/** What the attention views ask for: numbers of the run, in another order. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Experiment } from '../../../src/lab/inspector/experiment.ts';
import { type Connected, connected, LILY } from './ports.ts';

const experiment: Experiment = {
  ...{ file: LILY, backend: 'reference', text: 'Lily gave the ball to Tom. Tom thanked' },
  ...{ faults: [], changes: [] },
};
/** The same after two drawn tokens, so that there are passes of one token too. */
const drawn: Experiment = { ...experiment, text: 'Lily gave the ball' };
const GOLDEN = 'fixtures/golden/lily-4m-f16.arrow';

let page: Connected;
beforeAll(async () => {
  page = connected('wire');
  await page.ask('move', { experiment, move: { to: 'end' } });
  await page.ask('move', { experiment: drawn, move: { draw: 2 } });
  await page.ask('move', { experiment: drawn, move: { to: 'end' } });
});

const tensorOf = async (name: string, of = experiment) => (await page.session.run(of)).trace.tensor(name);

describe('qk', () => {
  test('has the q and k of the run, whose products add up in f64 to kq, and scaled to kq_soft_max', async () => {
    const place = { layer: 2, head: 6, query: 9, key: 7 };
    const found = await page.ask('qk', { experiment, place });
    const [q, k] = [(await tensorOf('Qcur_rope-2')).slice(9, 6), (await tensorOf('Kcur_rope-2')).slice(7, 1)];
    expect(found).toMatchObject({ ...place, headKv: 1, sharedBy: 4 });
    expect(found.q).toEqual(q.data);
    expect(found.k).toEqual(k.data);
    expect(found.products).toBeInstanceOf(Float64Array);
    const sum = [...q.data].reduce((total, x, d) => total + x * (k.data[d] as number), 0);
    expect(found.score).toBeCloseTo(sum, 10);
    expect(found.recorded).toBe((await tensorOf('kq-2')).at(6, 9, 7));
    // The recorded score was rounded to f32 once, and so was every q and k.
    expect(Math.abs(found.score - found.recorded)).toBeLessThan(1e-6 * q.norm() * k.norm());
    expect(found.recordedWeight).toBe((await tensorOf('kq_soft_max-2')).at(6, 9, 7));
    expect(Math.abs(found.weight - found.recordedWeight)).toBeLessThan(1e-6);
  });

  test('reads keys of earlier passes for a token that was drawn', async () => {
    const found = await page.ask('qk', { experiment: drawn, place: { layer: 0, head: 0, query: 6, key: 2 } });
    expect(found.recorded).toBe((await tensorOf('kq-0', drawn)).at(0, 0, 2));
    expect(found.k.length).toBe(32);
  });

  test('of a trace is what the trace holds, and what it does not hold is said', async () => {
    const ofTrace = { ...experiment, file: GOLDEN, text: '' };
    const asked = page.ask('qk', { experiment: ofTrace, place: { layer: 0, head: 0, query: 1, key: 0 } });
    const found = await asked;
    expect(Math.abs(found.score - found.recorded)).toBeLessThan(1e-4 * Math.max(1, Math.abs(found.recorded)));
    await expect(page.ask('qk', { experiment, place: { layer: 0, head: 0, query: 1, key: 4 } })).rejects.toThrow(
      'found query 1 and key 4',
    );
  });
});

describe('pattern', () => {
  test('is kq_soft_max of every head, and each row adds up to 1', async () => {
    const { nHead, start, end, weights } = await page.ask('pattern', { experiment, layer: 1 });
    expect([nHead, start, end]).toEqual([8, 0, 10]);
    expect(weights).toEqual((await tensorOf('kq_soft_max-1')).data);
    for (let row = 0; row < nHead * end; row++) {
      const sum = weights.subarray(row * end, (row + 1) * end).reduce((total, weight) => total + weight, 0);
      expect(sum).toBeCloseTo(1, 5);
    }
  });

  test('puts passes together by position, and is 0 where a key stands after its query', async () => {
    const { end, weights } = await page.ask('pattern', { experiment: drawn, layer: 0 });
    expect(end).toBe(7);
    const last = await tensorOf('kq_soft_max-0', drawn);
    const at = (head: number, query: number, key: number) => weights[(head * end + query) * end + key];
    expect([0, 3, 6].map((key) => at(5, 6, key))).toEqual([0, 3, 6].map((key) => last.at(5, 0, key)));
    expect(at(5, 2, 3)).toBe(0);
  });

  test('of a layer that was not run says how to get there', async () => {
    const fresh = { ...experiment, text: 'Tom' };
    await expect(page.ask('pattern', { experiment: fresh, layer: 1 })).rejects.toThrow("run.to('kq_soft_max-1')");
  });
});
