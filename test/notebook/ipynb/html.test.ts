/** The page as text; what a browser makes of it is in page.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { notebookHtml } from '../../../src/notebook/ipynb/html.ts';
import type { CodeCell, Notebook, SavedOutput } from '../../../src/notebook/ipynb/notebook.ts';
import { codeCell, markdownCell, notebookOf, printed, thrown } from './fake_cells.ts';

const folder = mkdtempSync(join(tmpdir(), 'layerscope-html-'));
afterAll(() => rmSync(folder, { recursive: true }));

const page = (notebook: Notebook) => notebookHtml(notebook, { name: 'the name.ipynb', folder });

/** What is between <main> and </main>. */
async function bodyOf(...cells: Notebook['cells']): Promise<string> {
  return /<main>\n([\s\S]*)\n<\/main>/.exec(await page(notebookOf(...cells)))?.[1] ?? '';
}

const shows = (data: Readonly<Record<string, unknown>>): CodeCell =>
  codeCell('x', { outputs: [{ type: 'display_data', data, metadata: {} } satisfies SavedOutput] });

describe('the page', () => {
  test('has the title of the metadata, else of the first heading, else of the file', async () => {
    const titled = (notebook: Notebook) => page(notebook).then((html) => /<title>(.*)<\/title>/.exec(html)?.[1]);
    const heading = notebookOf(markdownCell('text\n\n# A *first* `look` <at>'));
    expect(await titled(heading)).toBe('A first look &#60;at&#62;');
    expect(await titled({ ...heading, metadata: { title: 'Mine' } })).toBe('Mine');
    expect(await titled(notebookOf(codeCell('1')))).toBe('the name');
  });

  test('has a first heading whether or not the notebook has one', async () => {
    expect(await bodyOf(codeCell('1'))).toContain('<h1>the name</h1>');
    expect((await bodyOf(markdownCell('# Own'))).match(/<h1/g)).toHaveLength(1);
  });

  test('says its language: English, unless the notebook says another', async () => {
    expect(await page(notebookOf())).toContain('<html lang="en">');
    expect(await page({ metadata: { language: 'ja' }, cells: [] })).toContain('<html lang="ja">');
  });

  test('has the fonts of formulas inside, only where there is a formula', async () => {
    expect(await page(notebookOf(markdownCell('no formula')))).not.toContain('@font-face');
    const html = await page(notebookOf(markdownCell('$x$')));
    expect(html).toContain('<style>/*! katex\n\nThe MIT License');
    expect(html.match(/url\((?!data:font\/woff2;base64,)/g)).toBeNull();
    expect(html.match(/url\(data:/g)?.length).toBe(html.match(/@font-face/g)?.length);
  });

  test('has Vega inside, with its licences, only where there is a chart', async () => {
    const without = await page(notebookOf(shows({ 'image/svg+xml': '<svg/>' }), codeCell('1')));
    expect(without.length).toBeLessThan(20_000);
    expect(without).not.toContain('vegaLite');
    const chart = await page(notebookOf(shows({ 'application/vnd.vegalite.v5+json': { mark: 'bar' } })));
    expect(chart.match(/<script>\/\*! vega(-lite|-embed)?\n\nCopyright/g)).toHaveLength(3);
  });
});

describe('Markdown', () => {
  test('has formulas to see and to hear, and prices stay prices', async () => {
    const html = await bodyOf(markdownCell('It costs $5 or $6. $x_1 < y_1$ and $$\\sqrt{a_i}$$\n\n$$\nb_i\n$$'));
    expect(html).toContain('It costs $5 or $6. <span class="katex"><span class="katex-mathml"><math');
    expect(html.match(/<math /g)).toHaveLength(3);
    expect(html.match(/display="block"/g)).toHaveLength(2);
    expect(html.match(/class="katex-html" aria-hidden="true"/g)).toHaveLength(3);
    expect(html).not.toContain('<em>');
  });

  test('shows a formula that KaTeX cannot read as it stands, and dollars in code as code', async () => {
    const html = await bodyOf(markdownCell('$\\frac{1$, `$x$`, \\$y\\$'));
    expect(html).toMatch(/<code class="math-error" title="KaTeX parse error[^"]*">\\frac\{1<\/code>/);
    expect(html).toContain('<code>$x$</code>, $y$');
  });

  test('lets raw HTML pass, and escapes what is code', async () => {
    const html = await bodyOf(markdownCell('a <b>bold</b>\n\n```ts\nconst a = "<b>";\n```\n\n```sh\nls <x>\n```'));
    expect(html).toContain('<b>bold</b>');
    expect(html).toMatch(
      /<span class="hljs-keyword">const<\/span> a = <span class="hljs-string">&quot;&lt;b&gt;&quot;/,
    );
    expect(html).toContain('<code>ls &#60;x&#62;</code>');
  });

  test('has headings with anchors as Jupyter makes them, each once in the page', async () => {
    const html = await bodyOf(
      markdownCell('## The first layer\n\n## The first layer'),
      markdownCell('## The first layer'),
    );
    expect([...html.matchAll(/<h2 id="([^"]*)"/g)].map((match) => match[1])).toEqual([
      'The-first-layer',
      'The-first-layer-2',
      'The-first-layer-3',
    ]);
  });

  test('has pictures inside: attachments, files beside the notebook, those of raw HTML; a remote one is a link', async () => {
    writeFileSync(join(folder, 'a b.svg'), '<svg/>');
    const text =
      '![one](attachment:one.png) ![two](a%20b.svg) ![three](https://example.org/3.png)\n\n' +
      '<img alt="four" src="a b.svg"> <img src=\'https://example.org/5.png\' alt="five">';
    const html = await bodyOf({ ...markdownCell(text), attachments: { 'one.png': { 'image/png': 'AAAA\n' } } });
    const svg = `data:image/svg+xml;base64,${Buffer.from('<svg/>').toString('base64')}`;
    expect(html).toContain('<img src="data:image/png;base64,AAAA" alt="one">');
    expect(html).toContain(`<img src="${svg}" alt="two">`);
    expect(html).toContain('<a href="https://example.org/3.png">three (a picture that is not in this page)</a>');
    expect(html).toContain(`<img alt="four" src="${svg}">`);
    expect(html).not.toContain(" src='https");
  });
});

describe('a code cell', () => {
  test('has its code with words marked, its count for those who see it and in its name for those who do not', async () => {
    const html = await bodyOf(codeCell('const a = 1;', { executionCount: 7 }));
    expect(html).toContain('<section class="cell" aria-label="Code cell 7">');
    expect(html).toContain('<span class="hljs-keyword">const</span>');
  });

  test('shows text and errors with colours and without markup of their own', async () => {
    const outputs = [printed('<a>'), printed('b', 'stderr'), thrown('E', 'x', '\u001b[31mE\u001b[39m: <x>', 'at cell')];
    const html = await bodyOf(codeCell('1', { outputs }));
    expect(html).toContain('<pre class="text stdout">&#60;a&#62;</pre>');
    expect(html).toContain('<pre class="text stderr">b</pre>');
    expect(html).toContain(
      '<pre class="text error"><span style="color:var(--ansi-1)">E</span>: &#60;x&#62;\nat cell</pre>',
    );
  });

  test.for<[best: string, data: Record<string, unknown>, html: string]>([
    ['HTML', { 'text/plain': 'p', 'text/html': '<table></table>' }, '<div class="html wide"><table></table></div>'],
    [
      'a bitmap',
      { 'text/plain': 'a "dot"', 'image/png': 'AA\nAA' },
      '<img src="data:image/png;base64,AAAA" alt="a &#34;dot&#34;">',
    ],
    ['Markdown', { 'text/plain': 'p', 'text/markdown': '*m*' }, '<p><em>m</em></p>'],
    ['a formula', { 'text/plain': 'p', 'text/latex': '$x$' }, '<math '],
    ['text', { 'text/plain': '<p>', 'application/x-odd': 'o' }, '<pre class="text">&#60;p&#62;</pre>'],
    ['JSON', { 'application/json': { a: 1 } }, '<pre class="text">{\n  &#34;a&#34;: 1\n}</pre>'],
    [
      'the name of what it does not know',
      { 'application/x-odd': 'o' },
      'An output that this page cannot show: application/x-odd',
    ],
  ])('shows %s where that is the best form it has', async ([, data, html]) => {
    expect(await bodyOf(shows(data))).toContain(html);
  });

  test('puts a spec into the page so that no script ends in it', async () => {
    const spec = {
      $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
      description: 'A </script> & "b"',
      a: '<!--',
    };
    const html = await bodyOf(shows({ 'application/vnd.vegalite.v5+json': spec, 'image/svg+xml': '<svg><g/></svg>' }));
    const script = /<script type="application\/json" data-mode="vega-lite">(.*?)<\/script>/s.exec(html)?.[1] ?? '';
    expect(script).not.toContain('<');
    expect(JSON.parse(script)).toEqual({ description: spec.description, a: spec.a });
    expect(html).toContain('alt="A &#60;/script&#62; &#38; &#34;b&#34;"');
    const image = /src="data:image\/svg\+xml;base64,([^"]*)"/.exec(html)?.[1] ?? '';
    expect(Buffer.from(image, 'base64').toString()).toBe('<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>');
  });
});

test('a raw cell shows where it is meant for HTML or for nothing else', async () => {
  const raw = (source: string, format?: string) =>
    ({ ...markdownCell(source), type: 'raw', metadata: format ? { format } : {} }) as const;
  const html = await bodyOf(raw('<i>html</i>', 'text/html'), raw('\\LaTeX', 'text/latex'), raw('<plain>'));
  expect(html).toContain('<i>html</i>\n<pre class="text">&#60;plain&#62;</pre>');
  expect(html).not.toContain('LaTeX');
});
