/** TypeScript with its words marked for page.css, by highlight.js; code in other languages stays plain. */
import { createRequire } from 'node:module';
import { escapeHtml } from '../escape.ts';

/** What is used of highlight.js. Its own types would bring a browser's globals into every file of this project. */
interface Highlighter {
  newInstance(): Highlighter;
  registerLanguage(name: string, language: unknown): void;
  highlight(code: string, options: { readonly language: string }): { readonly value: string };
}

const require = createRequire(import.meta.url);
const highlighter = (require('highlight.js/lib/core') as Highlighter).newInstance();
highlighter.registerLanguage('typescript', require('highlight.js/lib/languages/typescript'));

const TYPESCRIPT_NAMES = new Set(['typescript', 'ts', 'javascript', 'js', 'tsx', 'jsx', 'mjs', 'mts']);

/** The code as HTML. `language` is what a Markdown fence says. */
export function highlighted(code: string, language = 'typescript'): string {
  if (!TYPESCRIPT_NAMES.has(language.toLowerCase())) return escapeHtml(code);
  return highlighter.highlight(code, { language: 'typescript' }).value;
}
