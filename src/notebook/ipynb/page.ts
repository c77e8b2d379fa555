/**
 * One HTML page that needs nothing else: its pictures are inside, and so are, where it has them, the fonts of its formulas
 * and the scripts that draw its charts. A content security policy keeps the page from asking the network for anything.
 */
import { readFile } from 'node:fs/promises';
import { version } from '../../version.ts';
import { escapeHtml } from '../escape.ts';
import { formulaStyle, vegaScripts } from './page_libraries.ts';

export interface PageParts {
  readonly title: string;
  /** As BCP 47 has it. */
  readonly language: string;
  /** HTML; its charts as `outputHtml` makes them. */
  readonly body: string;
  readonly hasCharts: boolean;
}

/** Charts need `unsafe-eval`: Vega compiles its expressions. */
const POLICY = [
  "default-src 'none'",
  'img-src data: blob:',
  'media-src data: blob:',
  'font-src data:',
  "style-src 'unsafe-inline'",
  "script-src 'unsafe-inline' 'unsafe-eval'",
].join('; ');

/** The page, as the text of an HTML file. */
export async function pageHtml({ title, language, body, hasCharts }: PageParts): Promise<string> {
  const formulas = body.includes('class="katex') ? `\n${await formulaStyle()}` : '';
  const scripts = hasCharts ? `${await vegaScripts()}\n` : '';
  return `<!doctype html>
<html lang="${escapeHtml(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="generator" content="layerscope ${version}">
<title>${escapeHtml(title)}</title>
<style>
${await asset('page.css')}</style>${formulas}
</head>
<body>
<main>
${body}
</main>
${scripts}<script>
${await asset('page.js')}</script>
</body>
</html>
`;
}

/** Files that go into the page as they are; src/ and dist/ are equally deep in the package. */
function asset(name: string): Promise<string> {
  return readFile(new URL(`../../../src/notebook/assets/${name}`, import.meta.url), 'utf8');
}
