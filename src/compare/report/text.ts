/** The report for a terminal: little more than 40 lines, however large the model is. */
import { shownWidth, table, visibleLines } from '../../trace/plain_text.ts';
import type { Comparison } from '../comparison.ts';
import { outlineOf, type Section } from './outline.ts';
import type { Table } from './tensor_table.ts';

export interface TextOptions {
  /** Columns of the terminal. Default 100. */
  readonly columns?: number;
}

/** Columns of the labels at the left. */
const INDENT = 12;
/** Rows of the table, lines of a cell; entries of any other list, of which fewer are shown until all fits. */
const [ROWS, MOST_CODE, MOST] = [8, 6, 4];
const MOST_LINES = 43;

export function reportText(comparison: Comparison, { columns = 100 }: TextOptions = {}): string {
  for (let most = MOST; ; most--) {
    const { headline, sections } = outlineOf(comparison, { rows: ROWS - (MOST - most), most });
    const text = sections.flatMap((section) => sectionText(section, Math.max(40, columns) - INDENT));
    const lines = [...wrapped(headline, columns), '', ...text];
    if (most === 1 || lines.length <= MOST_LINES) return visibleLines(lines.join('\n'));
  }
}

function sectionText({ label, lines, table: of, code }: Section, width: number): string[] {
  const body = [
    ...lines.flatMap((line) => wrapped(line, width)),
    ...(of ? tableText(of, width) : []),
    ...(code === undefined ? [] : codeText(code)),
  ];
  return body.map((line, i) => `${(i === 0 ? label : '').padEnd(INDENT)}${line}`.trimEnd());
}

function tableText({ head, align, rows, essential }: Table, width: number): string[] {
  const [whole, part] = [head.length, essential].map((columns) =>
    table(
      [head, ...rows].map((row) => row.slice(0, columns)),
      align,
    ).split('\n'),
  ) as [string[], string[]];
  return whole.every((line) => shownWidth(line) <= width) ? whole : part;
}

function codeText(code: string): string[] {
  const lines = code.split('\n');
  if (lines.length <= MOST_CODE) return lines.map((line) => `  ${line}`);
  return [...lines.slice(0, MOST_CODE).map((line) => `  ${line}`), '  …'];
}

/** Broken at spaces; a word that is longer than a line has its own. Lines after the first are set in. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && shownWidth(longer) > width) {
      lines.push(line);
      line = `  ${word}`;
    } else line = longer;
  }
  return [...lines, line];
}
