import { marked } from 'marked';
import { describe, expect, test } from 'vitest';
import { reportMarkdown } from '../../../src/compare/report/markdown.ts';
import { bug, bugOf, comparisonWith, everyComparison, oneToken } from '../comparisons.ts';

/** As GitHub would show it: text of the HTML, one line. */
const shownAs = (markdown: string): string =>
  (marked.parse(markdown, { async: false }) as string)
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/\s+/g, ' ');

describe('the report for an issue', () => {
  test.each([...everyComparison, ['of 80 layers', bugOf({ nLayer: 80 })] as const])(
    '%s: has at most 60 lines',
    (_, comparison) => {
      const markdown = reportMarkdown(comparison);
      expect(markdown.trimEnd().split('\n').length).toBeLessThanOrEqual(60);
      expect(markdown).not.toMatch(/undefined|\[object/);
    },
  );

  test('has the tensors around the divergence, the versions, and the cell that shows it again', () => {
    const markdown = reportMarkdown(bug);
    expect(markdown).toMatch(
      /^\| kq-3 \| error made here \| 2\.1e-1 \| 1\.0e-5 \| 0\.9779 \| token 5 ␣to, head 2, \[2, 5, 3\] \|/m,
    );
    expect(markdown.match(/^\| \S+-[23] \|/gm)?.length).toBeGreaterThan(6);
    expect(markdown).toContain('| version | 0.1.0 | b9842 |');
    expect(markdown).toContain(`\`\`\`ts\n${bug.firstDivergence?.reproduction}\n\`\`\``);
  });

  test('names every suspect that the prompt could not reveal', () => {
    for (const { suspect, shortest } of oneToken.blindSpots) {
      expect(reportMarkdown(oneToken)).toContain(suspect);
      expect(reportMarkdown(oneToken)).toContain(shortest);
    }
  });

  test('a hostile name stays text: no markup, no cell of its own, no mention', () => {
    const name = 'a|b <img src=x> *bold* _i_ @someone [x](y) `code`\n# head';
    const markdown = reportMarkdown(
      comparisonWith({ summary: name, notCompared: [{ name, pass: 0, why: 'it is strange' }] }),
    );
    const html = marked.parse(markdown, { async: false }) as string;
    expect(html).not.toMatch(/<img|<em>|<a |<h1|<strong>bold/);
    expect(markdown).not.toMatch(/@someone/);
    expect(shownAs(markdown)).toContain('a|b &lt;img src=x&gt; *bold* _i_ @\u200bsomeone [x](y) `code` # head');
  });

  test('a cell that holds a fence stays one cell', () => {
    const reproduction = 'const a = `x`;\n```\nb';
    const first = bug.firstDivergence;
    if (!first) throw new Error('Cannot test without a divergence');
    const html = marked.parse(reportMarkdown(comparisonWith({ firstDivergence: { ...first, reproduction } })), {
      async: false,
    });
    expect(html).toContain('const a = `x`;\n```\nb');
  });
});
