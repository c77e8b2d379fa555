/** KaTeX with its style: a piece of its own, so that a notebook without formulas does not load it. */
import 'katex/dist/katex.css';

export { default as renderFormulas } from 'katex/contrib/auto-render';
