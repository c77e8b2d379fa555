/** Comparisons as outputs of a cell; what a browser makes of the same HTML is in test/notebook/comparison_page.test.ts. */
import { describe, expect, test } from 'vitest';
import type { Comparison } from '../../../src/compare/comparison.ts';
import { reportText } from '../../../src/compare/report/text.ts';
import { bundleOf } from '../../../src/notebook/display/bundle.ts';
import {
  agree,
  bug,
  bugOf,
  comparisonWith,
  everyComparison,
  oneToken,
  refusedForBos,
  sums,
} from '../../compare/comparisons.ts';

async function htmlOf(comparison: Comparison): Promise<string> {
  return (await bundleOf(comparison))?.data['text/html'] as string;
}

/** The rows of the table before the fold: background and text. */
function rowsIn(html: string): { tint: string; text: string }[] {
  const [shown = ''] = html.split('<details>');
  return [...shown.matchAll(/<tr style="background-color: ([^"]+)">(.*?)<\/tr>/g)].map(([, tint = '', cells = '']) => ({
    tint,
    text: cells.replace(/<[^>]*>/g, ' '),
  }));
}

const pictures = (html: string) =>
  html.match(/<img src="data:image\/svg\+xml;base64,[^"]+" alt="[A-Z][^"]{30,}\."/g) ?? [];

describe('a comparison', () => {
  test.each(everyComparison)(
    '%s: shows verdict and sentence first, and the report as plain text',
    async (_, comparison) => {
      const data = (await bundleOf(comparison))?.data ?? {};
      expect(Object.keys(data).sort()).toEqual(['text/html', 'text/plain']);
      expect(data['text/plain']).toBe(reportText(comparison));
      const [first = ''] = `${data['text/html']}`.split('</div>');
      const said = first.replace(/<[^>]*>/g, '').slice(2);
      expect(said.toLowerCase().startsWith(`${comparison.verdict}: `)).toBe(true);
      expect(data['text/html']).not.toMatch(/undefined|\[object|aria-|<svg|<script/);
    },
  );

  test('has one colour per standing, and says each standing in words', async () => {
    const rows = rowsIn(await htmlOf(bug));
    expect(rows).toHaveLength(14);
    const tintOf = (words: string) => new Set(rows.filter(({ text }) => text.includes(words)).map(({ tint }) => tint));
    const [within, made, inherited] = ['within tolerance', 'error made here', 'inherited error'].map(tintOf);
    for (const tints of [within, made, inherited]) expect(tints?.size).toBe(1);
    expect(new Set([...(within ?? []), ...(made ?? []), ...(inherited ?? [])]).size).toBe(3);
    expect(rows.find(({ text }) => text.includes('kq-3'))?.text).toMatch(
      /error made here .* token 5 ␣to, head 2, \[2, 5, 3\] .* 0\.8123411 .* 2\.1310012/,
    );
  });

  test('folds the rows that do not matter away, and all of them are below the fold', async () => {
    const html = await htmlOf(bug);
    expect(html).toContain('<details><summary>all 111 tensors, in order of execution</summary>');
    for (const { name } of bug.tensors) expect(html).toContain(`>${name}</td>`);
    expect(await htmlOf(bugOf({ nLayer: 80 }))).toContain('<summary>500 of 1443 tensors');
    const few = comparisonWith({ tensors: bug.tensors.slice(0, 9) });
    expect(await htmlOf(few)).not.toContain('<details>');
  });

  test('draws growth of error and RMS of both as pictures with alternative text, where there are values', async () => {
    expect(pictures(await htmlOf(bug))).toHaveLength(2);
    expect(pictures(await htmlOf(agree))).toHaveLength(2);
    expect(pictures(await htmlOf(sums))).toHaveLength(0);
    expect(pictures(await htmlOf(refusedForBos))).toHaveLength(0);
  });

  test('has the cell that shows the divergence again, ready to copy', async () => {
    expect(await htmlOf(bug)).toMatch(/<pre><code>const theirs = await llamaCpp\(&#39;lily/);
  });

  test('names what the prompt could not reveal, with the shortest prompt that would', async () => {
    expect(await htmlOf(oneToken)).toContain(
      'RoPE: at position 0 every angle is 0. The shortest that shows it: two tokens',
    );
  });

  test('a name from a stranger stays text', async () => {
    const html = await htmlOf(
      comparisonWith({ notCompared: [{ name: '<img src=x onerror=alert(1)>', pass: 0, why: 'it is odd' }] }),
    );
    expect(html).not.toContain('<img src=x');
  });
});
