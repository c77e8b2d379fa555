/** What the inspector does to our charts: their marks choose, and their colours are those of the page. */
import { compile, type TopLevelSpec } from 'vega-lite';
import { beforeAll, describe, expect, test } from 'vitest';
import { themed } from '../../../src/lab/page/inspector/chart_theme.ts';
import { choiceOfDatum } from '../../../src/lab/page/inspector/datum.ts';
import { everyChart, type Runs, runsOfShipped } from '../../charts/every_chart.ts';

describe('a mark chooses', () => {
  test.for([
    [
      { query: '3 ␣Tom', key: '12–15', weight: 0.5 },
      { token: 3, key: 12 },
    ],
    [
      { layer: 2, head: 0, score: 1 },
      { layer: 2, head: 0 },
    ],
    [
      { layer: 5, after: '9 ␣thanked', token: '␣Lily' },
      { layer: 5, token: 9 },
    ],
    [
      { name: 'l_out-3', layer: 3 },
      { layer: 3, step: 'l_out-3' },
    ],
    [{ position: 4 }, { token: 4 }],
    [{ name: 'nothing-3' }, null],
    // Tokens that spell numbers are no positions.
    [{ token: '3', probability: 0.2 }, null],
    [{ token: '3 #345', probability: 0.2 }, null],
    [{ layer: -1, head: 1.5, token: Number.NaN }, null],
    [null, null],
    ['text', null],
  ] as const)('%o', ([datum, choice]) => {
    expect(choiceOfDatum(datum, (name) => name === 'l_out-3')).toEqual(choice);
  });
});

describe('on a dark page', () => {
  let runs: Runs;
  beforeAll(async () => {
    runs = await runsOfShipped();
  });

  test.for(everyChart)('$title keeps its data, compiles, and names no white and no black', async ({ draw }) => {
    const spec = await draw(runs);
    const dark = themed(spec, 'dark');
    const { vega } = { vega: compile(dark as TopLevelSpec).spec };
    expect(vega.background).toBe('transparent');
    expect(dataOf(dark)).toEqual(dataOf(spec));
    expect(coloursOf(dark).filter((colour) => /^(white|black|#0{3}|#0{6})$/.test(colour))).toEqual([]);
  });
});

/** What lies below `data` and `datasets`, in order. */
function dataOf(node: unknown): unknown[] {
  return walked(node, (key) => key === 'data' || key === 'datasets').map(([, value]) => value);
}

/** Texts that are no data. */
function coloursOf(node: unknown): string[] {
  return walked(node, (key, value) => key !== 'data' && typeof value === 'string').map(([, value]) => value as string);
}

function walked(node: unknown, isWanted: (key: string, value: unknown) => boolean): [string, unknown][] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]): [string, unknown][] => {
    if (isWanted(key, value)) return [[key, value]];
    return key === 'data' || key === 'datasets' ? [] : walked(value, isWanted);
  });
}
