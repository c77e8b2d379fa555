/**
 * HTML of outputs: what is put in is escaped, and what is made passes JupyterLab's sanitizer, which notebooks that were
 * opened and not run go through (tags of structure, `style` with plain values, no `aria-*`). Colours are inherited, so that
 * light and dark themes both read well.
 */
import { escapeHtml } from '../escape.ts';

/** HTML as it is, to be put into other HTML without being escaped again. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A template whose values are escaped, unless they are HTML already. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | number | Html | readonly Html[])[]
): Html {
  return new Html(parts.reduce((text, part, i) => text + textOf(values[i - 1] ?? '') + part));
}

function textOf(value: string | number | Html | readonly Html[]): string {
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(textOf).join('');
  return escapeHtml(`${value}`);
}

export type Align = 'left' | 'right';

/**
 * A table, with a head where one is given, and with a background per row where `tints` has them. JupyterLab puts cells to the right by a rule, other pages to the left by default.
 */
export function htmlTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  align: readonly Align[] = [],
  tints: readonly string[] = [],
): Html {
  const side = (column: number) => new Html(align[column] === 'right' ? 'align="right"' : 'style="text-align: left"');
  const headCells = head.map((cell, i) => html`<th ${side(i)}>${cell}</th>`);
  const tint = (row: number) => new Html(tints[row] === undefined ? '' : ` style="background-color: ${tints[row]}"`);
  const lines = rows.map(
    (row, at) => html`<tr${tint(at)}>${row.map((cell, i) => html`<td ${side(i)}>${cell}</td>`)}</tr>`,
  );
  const top = head.length > 0 ? html`<thead><tr>${headCells}</tr></thead>` : '';
  return html`<table cellpadding="3" style="margin: 4px 0px">${top}<tbody>${lines}</tbody></table>`;
}

/** A box that scrolls where its content is long. */
export function scrolling(content: Html): Html {
  return html`<div style="max-height: 340px; overflow: auto">${content}</div>`;
}

/** A line in bold with a quieter rest. */
export function heading(title: string, rest: string): Html {
  return html`<div><strong>${title}</strong> <span style="opacity: 0.75">${rest}</span></div>`;
}
