/** Markdown cells: GitHub's dialect by marked, formulas by KaTeX, which is loaded when the first formula is seen. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Marked } from 'marked';

const marked = new Marked({ gfm: true });

export const markdownParser: IRenderMime.IMarkdownParser = {
  render: async (source) => marked.parse(source),
};

const DELIMITERS = [
  { left: '$$', right: '$$', display: true },
  { left: '\\[', right: '\\]', display: true },
  { left: '$', right: '$', display: false },
  { left: '\\(', right: '\\)', display: false },
];

export const formulaTypesetter: IRenderMime.ILatexTypesetter = {
  async typeset(element) {
    if (!/\$|\\[([]/.test(element.textContent ?? '')) return;
    const { renderFormulas } = await import('./formulas.ts');
    renderFormulas(element, { delimiters: DELIMITERS, throwOnError: false, strict: 'ignore' });
  },
};
