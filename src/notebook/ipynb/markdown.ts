/**
 * Markdown cells as HTML: GitHub's dialect by marked, formulas between `$…$` and `$$…$$` by KaTeX, as HTML to see and
 * MathML to hear: MathML alone is hard to read where a system has no mathematical font. Raw HTML passes, as in Jupyter; pictures are put into the page, so that it needs nothing else.
 */
import katex from 'katex';
import { Marked, type MarkedExtension, type Token, type TokenizerExtension, type Tokens } from 'marked';
import { escapeHtml } from '../escape.ts';
import { highlighted } from './highlight.ts';

/** A picture's address as a data: URL; undefined where it is not at hand. */
export type FindPicture = (address: string) => Promise<string | undefined>;

/** Renders the Markdown cells of one page, whose headings have ids of their own. */
export class MarkdownPage {
  readonly #ids = new Set<string>();

  async html(markdown: string, findPicture: FindPicture): Promise<string> {
    const marked = new Marked({ gfm: true, async: true }, { renderer: this.#renderer(), extensions: MATH });
    marked.use({ walkTokens: (token) => inlinePictures(token, findPicture) });
    return marked.parse(markdown);
  }

  #renderer(): MarkedExtension['renderer'] {
    const idFor = (text: string) => this.#idFor(text);
    return {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${escapeHtml(idFor(text))}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      code({ text, lang }) {
        const [language = 'text'] = (lang ?? '').split(/\s/).filter(Boolean);
        return `<pre class="code"><code>${highlighted(text, language)}</code></pre>\n`;
      },
      image({ href, text, title }) {
        const caption = title ? ` title="${escapeHtml(title)}"` : '';
        if (href.startsWith('data:')) return `<img src="${escapeHtml(href)}" alt="${escapeHtml(text)}"${caption}>`;
        return `<a href="${escapeHtml(href)}"${caption}>${escapeHtml(text || href)} (a picture that is not in this page)</a>`;
      },
      table(token) {
        return `<div class="wide">${tableHtml(token, (tokens) => this.parser.parseInline(tokens))}</div>\n`;
      },
    };
  }

  /** As Jupyter makes a heading's anchor: its text with hyphens for spaces. */
  #idFor(text: string): string {
    const base = text.trim().replaceAll(/\s+/g, '-') || 'section';
    let id = base;
    for (let copy = 2; this.#ids.has(id); copy++) id = `${base}-${copy}`;
    this.#ids.add(id);
    return id;
  }
}

function tableHtml({ header, rows }: Tokens.Table, inline: (tokens: Token[]) => string): string {
  const cell = (tag: 'th' | 'td', { align, tokens }: Tokens.TableCell) =>
    `<${tag}${align ? ` style="text-align:${align}"` : ''}>${inline(tokens)}</${tag}>`;
  const row = (tag: 'th' | 'td', cells: Tokens.TableCell[]) =>
    `<tr>${cells.map((each) => cell(tag, each)).join('')}</tr>`;
  const body = rows.map((cells) => row('td', cells)).join('\n');
  return `<table>\n<thead>${row('th', header)}</thead>\n<tbody>${body}</tbody>\n</table>`;
}

interface MathToken extends Tokens.Generic {
  readonly formula: string;
  readonly isDisplayed: boolean;
}

/** A formula's TeX as HTML; what KaTeX cannot read is shown as it is, with the reason as its title. */
function mathHtml({ formula, isDisplayed }: MathToken): string {
  try {
    return katex.renderToString(formula, { displayMode: isDisplayed, strict: 'ignore' });
  } catch (error) {
    const [why = ''] = `${(error as Error).message}`.split('\n');
    return `<code class="math-error" title="${escapeHtml(why)}">${escapeHtml(formula)}</code>`;
  }
}

function mathExtension(
  name: string,
  level: 'inline' | 'block',
  pattern: RegExp,
  start: (source: string) => number | undefined,
): TokenizerExtension & { renderer: (token: Tokens.Generic) => string } {
  return {
    name,
    level,
    start,
    tokenizer(source) {
      const match = pattern.exec(source);
      if (!match) return undefined;
      const formula = (match[1] ?? match[2] ?? '').trim();
      return { type: name, raw: match[0], formula, isDisplayed: match[1] !== undefined };
    },
    renderer: (token) => mathHtml(token as MathToken) + (level === 'block' ? '\n' : ''),
  };
}

/** `$$…$$` first. A single dollar opens before no space, and closes after none and before no digit, so "$5 and $6" is money. */
const MATH = [
  mathExtension('displayedMath', 'block', /^ {0,3}\$\$([^$]+)\$\$[ \t]*(?:\n+|$)/, (source) => {
    return /^ {0,3}\$\$/m.exec(source)?.index;
  }),
  mathExtension(
    'math',
    'inline',
    /^\$\$([^$]+)\$\$|^\$(?![\s$])((?:\\[\s\S]|[^\\$])+?)(?<!\s)\$(?!\d)/,
    (source) => source.match(/\$/)?.index,
  ),
];

/** Replaces the addresses of pictures by the pictures; of raw HTML too. */
async function inlinePictures(token: Token, findPicture: FindPicture): Promise<void> {
  if (token.type === 'image') {
    token.href = (await findPicture(token.href)) ?? token.href;
  } else if (token.type === 'html') {
    token.text = await withPictures(token.text, findPicture);
  }
}

const IMAGE_SOURCE = /(<img\b[^>]*?\s)src=(["'])(.*?)\2/gi;

/** One that is not at hand loses its source: its alternative text is shown, and nothing is asked of the network. */
async function withPictures(html: string, findPicture: FindPicture): Promise<string> {
  const addresses = new Set([...html.matchAll(IMAGE_SOURCE)].map((match) => match[3] ?? ''));
  const found = new Map<string, string | undefined>();
  for (const address of addresses) found.set(address, await findPicture(address));
  return html.replace(IMAGE_SOURCE, (_, before: string, quote: string, address: string) => {
    const picture = found.get(address);
    return picture ? `${before}src=${quote}${picture}${quote}` : `${before}data-src=${quote}${address}${quote}`;
  });
}
