/** One output of a cell as HTML: of the forms it comes in, the one that shows most. */

import { escapeHtml } from '../escape.ts';
import { ansiHtml } from './ansi.ts';
import type { MarkdownPage } from './markdown.ts';
import type { Metadata, SavedOutput } from './notebook.ts';
import { isJsonMime } from './notebook.ts';
import { dataUrl } from './pictures.ts';

/** Specs that the page's script draws: `application/vnd.vegalite.v5+json` and its like. */
const VEGA_MIME = /^application\/vnd\.(vega|vegalite)\.v\d+\+json$/;

export function isChart({ data }: { readonly data: Metadata }): boolean {
  return Object.keys(data).some((mime) => VEGA_MIME.test(mime));
}

export async function outputHtml(output: SavedOutput, page: MarkdownPage): Promise<string> {
  switch (output.type) {
    case 'stream':
      return `<pre class="text ${output.name}">${ansiHtml(output.text)}</pre>`;
    case 'error':
      return `<pre class="text error">${ansiHtml(output.traceback.join('\n') || `${output.ename}: ${output.evalue}`)}</pre>`;
    case 'display_data':
    case 'execute_result':
      return bundleHtml(output.data, page);
    default:
      throw output satisfies never;
  }
}

async function bundleHtml(data: Metadata, page: MarkdownPage): Promise<string> {
  const text = (mime: string) => (typeof data[mime] === 'string' ? data[mime] : undefined);
  const chart = Object.entries(data).find(([mime]) => VEGA_MIME.test(mime));
  if (chart) return chartHtml(chart[0], chart[1], data);
  const html = text('text/html');
  if (html !== undefined) return `<div class="html wide">${html}</div>`;
  const picture = pictureHtml(data, alternativeText(data));
  if (picture !== undefined) return `<figure class="picture">${picture}</figure>`;
  const markdown = text('text/markdown') ?? text('text/latex');
  if (markdown !== undefined) return `<div class="markdown">${await page.html(markdown, async () => undefined)}</div>`;
  const plain = text('text/plain') ?? jsonText(data);
  return plain === undefined ? unknownHtml(data) : `<pre class="text">${ansiHtml(plain)}</pre>`;
}

/** A spec with the still picture that stands for it until it is drawn, and on paper. */
function chartHtml(mime: string, spec: unknown, data: Metadata): string {
  const description = descriptionOf(spec) || alternativeText(data);
  const still = pictureHtml(data, description) ?? `<noscript><p>${escapeHtml(description)}</p></noscript>`;
  const mode = mime.startsWith('application/vnd.vegalite') ? 'vega-lite' : 'vega';
  return `<figure class="chart picture">
<div class="still">${still}</div>
<div class="live"><div></div></div>
<script type="application/json" data-mode="${mode}">${scriptJson(spec)}</script>
</figure>`;
}

/** The chart's own sentence for those who do not see it. */
function descriptionOf(spec: unknown): string {
  const { description, title } = (spec ?? {}) as { description?: unknown; title?: unknown };
  if (typeof description === 'string') return description;
  const heading = typeof title === 'object' && title !== null && 'text' in title ? title.text : title;
  return heading === undefined ? '' : `${heading}`;
}

/**
 * JSON that no script element ends in. The schema's address is left out, because it makes vega-embed complain of a
 * version other than its own.
 */
function scriptJson(spec: unknown): string {
  const { $schema: _, ...rest } = spec as Record<string, unknown>;
  return JSON.stringify(rest).replaceAll('<', '\\u003c');
}

const BITMAPS = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

/** As an image of its own: ids, styles and scripts in an SVG stay in it. */
function pictureHtml(data: Metadata, alternative: string): string | undefined {
  const image = (url: string) => `<img src="${url}" alt="${escapeHtml(alternative)}">`;
  const svg = data['image/svg+xml'];
  if (typeof svg === 'string') return image(dataUrl('image/svg+xml', withNamespace(svg)));
  for (const mime of BITMAPS) {
    const base64 = data[mime];
    if (typeof base64 === 'string') return image(`data:${mime};base64,${base64.replaceAll(/[^\w+/=]/g, '')}`);
  }
  return undefined;
}

/** Inside HTML an SVG may go without its namespace; as an image it may not. */
function withNamespace(svg: string): string {
  return svg.replace(/<svg(?![^>]*\sxmlns=)/, '<svg xmlns="http://www.w3.org/2000/svg"');
}

function alternativeText({ 'text/plain': plain }: Metadata): string {
  return typeof plain === 'string' ? plain : '';
}

function jsonText(data: Metadata): string | undefined {
  const found = Object.entries(data).find(([mime]) => isJsonMime(mime));
  return found && JSON.stringify(found[1], null, 2);
}

function unknownHtml(data: Metadata): string {
  const names = Object.keys(data).join(', ');
  return `<p class="note">An output that this page cannot show: ${escapeHtml(names)}</p>`;
}
