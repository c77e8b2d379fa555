import { describe, expect, test } from 'vitest';
import { logitLens } from '../../src/charts/index.ts';
import { captionOf, type Given, rowsIn, traceWith, warningsOf } from './specs.ts';

const PIECES = ['<s>', ' Tom', ' ran', '日本', ' a very long one'];
const tokenizer = { piece: (id: number) => PIECES[id] as string, encode: () => [] };
/** A lens that names two tokens: the given one, then <s>. */
const lensGiven = (layer: number, ids: readonly number[]): Given[] => [
  { name: `lens_ids-${layer}`, shape: [ids.length, 2], data: ids.flatMap((id) => [id, 0]) },
  { name: `lens_probabilities-${layer}`, shape: [ids.length, 2], data: ids.flatMap(() => [0.75, 0.25]) },
  { name: `lens_entropy-${layer}`, shape: [ids.length, 1], data: ids.map(() => 0.5) },
];
const MANIFEST = {
  tokens: [0, 1, 2],
  pieces: PIECES.slice(0, 3),
  transforms: [{ name: 'lens', params: { k: 2, norm: true } }],
};
const trace = traceWith([...lensGiven(0, [3, 4, 0]), ...lensGiven(1, [1, 2, 3])], MANIFEST);

describe('logitLens', () => {
  test('has the likeliest token by layer and position, the others and the entropy for the tooltip', async () => {
    const rows = rowsIn(await logitLens(trace, { tokenizer }));
    expect(rows).toHaveLength(6);
    expect(rows[4]).toEqual({
      ...{ layer: 1, after: '1 ␣Tom', token: '␣ran', short: '␣ran', probability: 0.75, entropy: 0.5 },
      ...{ numbers: '75 % · 0.5', top: '␣ran 75 %, <s> 25 %', isNext: true },
    });
  });

  test('marks where the text goes on as the lens says, and nowhere else', async () => {
    const rows = rowsIn(await logitLens(trace, { tokenizer }));
    expect(rows.filter(({ isNext }) => isNext).map(({ layer, after }) => [layer, after])).toEqual([
      [1, '0 <s>'],
      [1, '1 ␣Tom'],
    ]);
  });

  test('cuts tokens to the room of a cell and keeps CJK whole where it fits', async () => {
    const texts = rowsIn(await logitLens(trace, { tokenizer })).map((row) => row.short);
    expect(texts.slice(0, 2)).toEqual(['日本', '␣a␣very…']);
  });

  test('says whether the final norm was applied', async () => {
    expect(captionOf(await logitLens(trace))).toContain('through the model’s final norm');
    const bare = { ...MANIFEST, transforms: [{ name: 'lens', params: { norm: false } }] };
    expect(captionOf(await logitLens(traceWith(lensGiven(0, [1]), bare)))).toContain('without the model’s final norm');
  });

  test('of a long text shows its end, says so, and shows another part on demand', async () => {
    const long = traceWith(
      lensGiven(
        0,
        Array.from({ length: 90 }, () => 1),
      ),
    );
    const chart = await logitLens(long);
    expect(rowsIn(chart).map(({ after }) => after)).toEqual(Array.from({ length: 20 }, (_, i) => `${70 + i}`));
    expect(captionOf(chart)).toContain('Positions 70 to 89 of 90');
    expect(rowsIn(await logitLens(long, { positions: [0, 3] })).map(({ after }) => after)).toEqual(['0', '1', '2']);
    expect(captionOf(await logitLens(long, { positions: [0, 90] }))).toContain('in the tooltips');
  });

  test('of a run without a lens says how to get one', async () => {
    const plain = traceWith([{ name: 'l_out-0', shape: [1, 1], data: [1] }]);
    await expect(logitLens(plain)).rejects.toThrow('model.with(lens())');
  });

  test('compiles without a warning and tells of the last column', async () => {
    const chart = await logitLens(trace, { tokenizer });
    expect(warningsOf(chart)).toEqual([]);
    expect(chart.description).toContain('after 2 ␣ran it is <s> with 75 % at layer 0 and 日本 with 75 % at layer 1');
  });
});
