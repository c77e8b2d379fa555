/**
 * A comparison as HTML, below a cell and on a page of its own: the verdict, what a report says, the table of tensors with a
 * colour per row, and the charts. How a chart becomes HTML is up to who shows it.
 */
import type { Comparison, TensorComparison, Verdict } from '../compare/comparison.ts';
import { headlineOf, outlineOf, type Section } from '../compare/report/outline.ts';
import { type Standing, standingOf, VERDICT_SIGNS } from '../compare/report/standing.ts';
import { type Table, tensorsThatMatter, tensorTable } from '../compare/report/tensor_table.ts';
import { type Html, html, htmlTable, scrolling } from './display/html.ts';

/** Rows of the table before it is folded, and below the fold; entries of a list. */
const [MOST_ROWS, MOST_FOLDED, MOST] = [14, 500, 8];

/** Everything but the charts, which stand where `figures` are. */
export function comparisonHtml(comparison: Comparison, figures: Html): Html {
  const { sections } = outlineOf(comparison, { rows: MOST_ROWS, most: MOST });
  const words = sections.filter(({ table }) => table === undefined);
  const last = words.at(-1) as Section;
  return html`${banner(comparison)}
${wordsHtml(words.slice(0, -1))}
${tensorsHtml(comparison)}
${figures}
${wordsHtml([last])}`;
}

const VERDICT_COLOURS: Readonly<Record<Verdict, string>> = {
  agree: '#009E73',
  noise: '#56B4E9',
  precision: '#CC79A7',
  'other layout': '#E69F00',
  bug: '#D55E00',
  refused: '#808080',
};

function banner(comparison: Comparison): Html {
  const { verdict } = comparison;
  return html`<div style="border-left: 6px solid ${VERDICT_COLOURS[verdict]}; padding: 4px 10px; margin: 4px 0px"><strong>${VERDICT_SIGNS[verdict]} ${headlineOf(comparison)}</strong></div>`;
}

function wordsHtml(sections: readonly Section[]): Html {
  const rows = sections.map(({ label, lines, code }) => {
    const said = lines.map((line) => html`<div>${line}</div>`);
    const cell = code === undefined ? '' : html`<pre><code>${code}</code></pre>`;
    return html`<tr><th style="text-align: left; vertical-align: top">${label}</th><td style="text-align: left">${said}${cell}</td></tr>`;
  });
  return html`<table cellpadding="3" style="margin: 4px 0px"><tbody>${rows}</tbody></table>`;
}

/** Tints behind rows: pale enough for dark text on a light page and light text on a dark one. */
const TINTS: Readonly<Record<Standing, string>> = {
  equal: 'rgba(0, 158, 115, 0.10)',
  within: 'rgba(0, 158, 115, 0.10)',
  inherited: 'rgba(230, 159, 0, 0.16)',
  beyond: 'rgba(128, 128, 128, 0.28)',
  precision: 'rgba(204, 121, 167, 0.22)',
  noise: 'rgba(86, 180, 233, 0.22)',
  'other layout': 'rgba(230, 159, 0, 0.30)',
  made: 'rgba(213, 94, 0, 0.30)',
  'no rule': 'rgba(128, 128, 128, 0.28)',
};

/** The rows that matter; in a long comparison all the others are below a fold. */
function tensorsHtml(comparison: Comparison): Html {
  const { tensors } = comparison;
  if (tensors.length === 0) return html``;
  const near = tensorsThatMatter(comparison, MOST_ROWS);
  const shown = tinted(tensorTable(comparison, near), near);
  if (near.length === tensors.length) return shown;
  const all = tensorsThatMatter(comparison, MOST_FOLDED);
  const which =
    all.length === tensors.length ? `all ${all.length} tensors` : `${all.length} of ${tensors.length} tensors`;
  return html`${shown}
<details><summary>${which}, in order of execution</summary>${scrolling(tinted(tensorTable(comparison, all), all))}</details>`;
}

/** Numbers and places stay in one line each; a narrow page scrolls. */
function tinted({ head, align, rows }: Table, tensors: readonly TensorComparison[]): Html {
  const tints = tensors.map((tensor) => TINTS[standingOf(tensor)]);
  return html`<div class="wide" style="overflow-x: auto; white-space: nowrap">${htmlTable(head, rows, align, tints)}</div>`;
}
