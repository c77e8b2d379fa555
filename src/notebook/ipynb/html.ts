/** A notebook as one HTML page that needs nothing else (page.ts): its text, code, outputs and pictures. */
import { escapeHtml } from '../escape.ts';
import { highlighted } from './highlight.ts';
import { MarkdownPage } from './markdown.ts';
import type { Cell, CodeCell, Notebook, TextCell } from './notebook.ts';
import { isChart, outputHtml } from './output_html.ts';
import { pageHtml } from './page.ts';
import { findPicture } from './pictures.ts';

export interface HtmlOptions {
  /** The file's name: the title of a notebook that gives itself none. */
  readonly name: string;
  /** Where the pictures that Markdown names are: the notebook's folder. */
  readonly folder: string;
  /** The language of the text, as BCP 47 has it. Default: the notebook's metadata.language, else `en`. */
  readonly language?: string;
}

/** The page, as the text of an HTML file. */
export async function notebookHtml(notebook: Notebook, options: HtmlOptions): Promise<string> {
  const { name, folder } = options;
  const page = new MarkdownPage();
  const cells: string[] = [];
  for (const cell of notebook.cells) cells.push(await cellHtml(cell, page, folder));
  const title = titleOf(notebook, name);
  const heading = cells.some((html) => /<h1\b/.test(html)) ? '' : `<h1>${escapeHtml(title)}</h1>\n`;
  const language = options.language ?? notebook.metadata.language ?? 'en';
  const body = `${heading}${cells.filter(Boolean).join('\n')}`;
  return pageHtml({ title, language: `${language}`, body, hasCharts: hasCharts(notebook) });
}

function hasCharts({ cells }: Notebook): boolean {
  return cells.some(
    (cell) => cell.type === 'code' && cell.outputs.some((output) => 'data' in output && isChart(output)),
  );
}

/** What the notebook calls itself: its metadata's title, else its first heading. */
function titleOf({ metadata, cells }: Notebook, name: string): string {
  if (typeof metadata.title === 'string') return metadata.title;
  const headings = cells.filter(({ type }) => type === 'markdown').map(({ source }) => /^# +(.+)$/m.exec(source)?.[1]);
  return headings.find(Boolean)?.replaceAll(/[*`$]/g, '').trim() ?? name.replace(/\.ipynb$/, '');
}

async function cellHtml(cell: Cell, page: MarkdownPage, folder: string): Promise<string> {
  switch (cell.type) {
    case 'markdown':
      return `<div class="markdown">${await page.html(cell.source, (address) => findPicture(address, cell, folder))}</div>`;
    case 'raw':
      return rawHtml(cell);
    case 'code':
      return codeHtml(cell, page);
    default:
      throw cell satisfies never;
  }
}

/** A raw cell is meant for one kind of file alone; one that says which shows where that is HTML. */
function rawHtml({ source, metadata }: TextCell): string {
  const format = metadata.format ?? metadata.raw_mimetype;
  if (format === 'text/html') return source;
  return format === undefined && source.trim() !== '' ? `<pre class="text">${escapeHtml(source)}</pre>` : '';
}

async function codeHtml({ source, outputs, executionCount }: CodeCell, page: MarkdownPage): Promise<string> {
  if (source.trim() === '' && outputs.length === 0) return '';
  const shown: string[] = [];
  for (const output of outputs) shown.push(`<div class="output">${await outputHtml(output, page)}</div>`);
  const count = executionCount === null ? '' : `<span class="count" aria-hidden="true">${executionCount}</span>`;
  return `<section class="cell" aria-label="${executionCount === null ? 'Code' : `Code cell ${executionCount}`}">
${count}<pre class="code"><code>${highlighted(source)}</code></pre>
${shown.join('\n')}
</section>`;
}
