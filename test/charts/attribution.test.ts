import { describe, expect, test } from 'vitest';
import { attribution } from '../../src/charts/index.ts';
import { type Runs, runsOfShipped } from './every_chart.ts';
import { captionOf, type Given, type Row, rowsIn, traceWith, warningsOf } from './specs.ts';

const one = (name: string, data: readonly number[], pos0 = 0, pass = 0): Given => ({
  ...{ name, shape: [data.length, 1], dims: ['token', 'one'], data, pos0, pass },
});
/** Two tokens, one layer of two heads; the second token's norm divides by 4. */
const GIVEN: readonly Given[] = [
  one('attribution_embd', [1, 4]),
  one('attribution_attn-0', [1, -8]),
  { name: 'attribution_heads-0', shape: [2, 2], dims: ['token', 'head'], data: [0, 1, 4, -12] },
  one('attribution_ffn-0', [1, 10]),
  one('attribution_rms', [1, 4]),
];
const manifest = (params: object) => ({
  ...{ tokens: [0, 1], pieces: ['<s>', ' Tom'], transforms: [{ name: 'attribution', params }] },
});
const trace = traceWith(GIVEN, manifest({ token: 1, versus: ' Lily' }));

const partsIn = (rows: readonly Row[]) => rows.filter((row) => 'part' in row);
const headsIn = (rows: readonly Row[]) => rows.filter((row) => 'head' in row);

describe('attribution', () => {
  test('has each part in logits, in the order of the pass, with their running sum', async () => {
    const parts = partsIn(rowsIn(await attribution(trace)));
    expect(parts.map(({ part, kind, logits, sum, label }) => [part, kind, logits, sum, label])).toEqual([
      ['embd', 'embedding', 1, 1, '+1.00'],
      ['attn_out-0', 'attention', -2, -1, '−2.00'],
      ['ffn_out-0', 'feed-forward', 2.5, 1.5, '+2.50'],
    ]);
  });

  test('puts the number of a bar that goes to the left beside the zero line, where no label of the axis is', async () => {
    expect(partsIn(rowsIn(await attribution(trace))).map(({ labelAt }) => labelAt)).toEqual([1, 0, 2.5]);
  });

  test('has attention’s part by head, with colours as wide on either side of 0', async () => {
    const chart = await attribution(trace);
    expect(headsIn(rowsIn(chart))).toEqual([
      { layer: 0, head: 0, value: 1 },
      { layer: 0, head: 1, value: -3 },
    ]);
    expect(JSON.stringify(chart)).toContain('"scheme":"purpleorange","domain":[-3,3]');
  });

  test('of another position, in whichever pass it was', async () => {
    const later = GIVEN.map(({ data, shape, ...rest }): Given => {
      const half = data.length / 2;
      return { ...rest, shape: [1, shape[1] as number], data: [...data].slice(0, half), pass: 1, pos0: 2 };
    });
    const both = traceWith([...GIVEN, ...later], manifest({ token: 1 }));
    for (const position of [0, 2, -1]) {
      expect(partsIn(rowsIn(await attribution(both, { position }))).map(({ logits }) => logits)).toEqual([1, 1, 1]);
    }
    await expect(attribution(both, { position: 3 })).rejects.toThrow('wanted one from 0 to 2');
  });

  test('says whose logit it is: ids by their piece, texts as they were given, a pair as such', async () => {
    expect(captionOf(await attribution(trace))).toContain('What speaks for ␣Tom rather than ␣Lily after 1 ␣Tom');
    expect(captionOf(await attribution(trace))).toContain('add up to 1.5, the logit of ␣Tom less that of ␣Lily');
    const single = traceWith(GIVEN, manifest({ token: 1 }));
    expect(captionOf(await attribution(single))).toMatch(/^What speaks for ␣Tom after .*the logit of ␣Tom$/ms);
  });

  test('of a run without attribution says how to get one', async () => {
    const plain = traceWith([one('l_out-0', [1])]);
    await expect(attribution(plain)).rejects.toThrow('model.with(attribution({ token, versus }))');
  });

  test('of the shipped model adds up to the difference of the logits that the run has', async () => {
    const { run }: Runs = await runsOfShipped();
    const chart = await attribution(run);
    const logits = (await run.tensor('result_output')).slice(-1);
    const [Lily, Tom] = ['Lily', 'Tom'].map((word) => run.model.tokenize(word, { bos: false })[0] as number);
    const wanted = logits.at(Lily as number) - logits.at(Tom as number);
    expect(partsIn(rowsIn(chart)).at(-1)?.sum).toBeCloseTo(wanted, 4); // six digits are kept
    expect(chart.description).toContain('the logit of ␣Lily less that of ␣Tom after 9 ␣thanked');
  });

  test('compiles without a warning', async () => expect(warningsOf(await attribution(trace))).toEqual([]));
});
