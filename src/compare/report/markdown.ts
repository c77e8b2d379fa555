/** The report for an issue on GitHub: at most 60 lines, with what another needs to see it again. */
import type { Manifest } from '../../trace/trace.ts';
import type { Comparison, Side } from '../comparison.ts';
import { outlineOf, type Section } from './outline.ts';
import type { Table } from './tensor_table.ts';

/** What fits in 60 lines: rows of the table, entries of a list, lines of a cell. */
const [ROWS, MOST, MOST_CODE] = [10, 4, 12];

export function reportMarkdown(comparison: Comparison): string {
  const { headline, sections } = outlineOf(comparison, { rows: ROWS, most: MOST });
  return [
    `### ${escaped(headline)}`,
    ...sections.flatMap(sectionMarkdown),
    '',
    ...tableMarkdown(factsTable(comparison)),
    '',
  ].join('\n');
}

function sectionMarkdown({ label, lines, table, code }: Section): string[] {
  return [
    '',
    `**${label}.** ${lines.map(escaped).join('. ')}`,
    ...(table ? ['', ...tableMarkdown(table)] : []),
    ...(code === undefined ? [] : ['', ...codeMarkdown(code)]),
  ];
}

function codeMarkdown(code: string): string[] {
  const lines = code.split('\n');
  const shown = lines.length <= MOST_CODE ? lines : [...lines.slice(0, MOST_CODE), '// …'];
  // A fence longer than any in the code.
  const fence = '`'.repeat(Math.max(3, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length + 1)));
  return [`${fence}ts`, ...shown, fence];
}

function tableMarkdown({ head, align, rows }: Table): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => escaped(cell)).join(' | ')} |`;
  const rule = `|${head.map((_, i) => (align[i] === 'right' ? '--:' : '---')).join('|')}|`;
  return [line(head), rule, ...rows.map(line)];
}

/** What of the manifests says which experiment it was. */
const FACTS: readonly (keyof Manifest)[] = [
  ...['producer', 'version', 'backend', 'adapter', 'model', 'quantisation', 'bos', 'tokens', 'transforms', 'date'],
];

/** Facts that at least one side states. */
function factsTable({ ours, reference }: Comparison): Table {
  const facts = FACTS.map((fact) => [`${fact}`, ...[ours, reference].map((side) => factText(side, fact))]);
  return {
    head: ['', `ours: ${ours.label}`, `reference: ${reference.label}`],
    align: [],
    essential: 3,
    rows: facts.filter(([, ...cells]) => cells.some((cell) => cell !== '')),
  };
}

/** Characters of a fact; a long prompt's tokens would fill the page. */
const MOST_FACT = 60;

function factText({ manifest }: Side, fact: keyof Manifest): string {
  const value = manifest[fact];
  if (value === undefined || value === null) return '';
  const count = Array.isArray(value) && value.length > 0 ? `${value.length}: ` : '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `${count}${text.length > MOST_FACT ? `${text.slice(0, MOST_FACT)}…` : text}`;
}

/** Text that GitHub shows as it is: no markup, no mention, no line break. An underscore within a word is none. */
function escaped(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*<>|~]|\](?=\()|(?<!\w)_|_(?!\w)/g, '\\$&')
    .replaceAll('@', '@\u200b');
}
