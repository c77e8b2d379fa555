/**
 * A table with a tensor in each row and its sum, mean or the like in a column: CSV, or Markdown with whatever stands around
 * the table. Such a table is all that many hunts leave behind.
 */
import { parse } from 'csv-parse/browser/esm/sync';
import { lexer, type Token, type Tokens } from 'marked';
import { TraceError } from '../../errors.ts';
import type { Statistics } from '../statistics.ts';
import { type Dump, type ForeignTensor, halfUnit, type NotRead, reasonOf } from './dump.ts';

type Statistic = 'sum' | 'mean' | 'rms' | 'min' | 'max' | 'absmax';

/** The statistic that a column's title names, by a word in it. Abbreviations stand alone. */
const TITLES: readonly (readonly [Statistic, RegExp])[] = [
  ['absmax', /abs[\s_-]*max|max[\s_-]*abs|largest/i],
  ['sum', /sum|checksum|合計/i],
  ['mean', /mean|average|avg|平均/i],
  ['rms', /rms/i],
  ['min', /\bmin/i],
  ['max', /\bmax/i],
];

interface TextTable {
  /** The heading it stands below, or `table 2`. */
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface SumsTableOptions {
  /** Which of several tables: its number from 1, or a part of the heading above it. */
  readonly table?: number | string;
}

/** Throws TraceError where a text has no table of statistics, or several and none was chosen. */
export function readSumsTable(text: string, source: string, { table }: SumsTableOptions = {}): Dump {
  const tables = tablesOf(text, source);
  const usable = tables.filter(({ head }) => columnsOf(head).length > 0);
  if (usable.length === 0) throw noTable(source, tables);
  const chosen = chosenOf(usable, table, source);
  const notRead: NotRead[] = tables
    .filter((each) => each !== chosen)
    .map((each) => ({
      name: `the table ${each.title}`,
      why: usable.includes(each)
        ? `the table ${chosen.title} was chosen`
        : `no column is a sum, mean, RMS, min or max (${each.head.join(', ')})`,
    }));
  const columns = columnsOf(chosen.head);
  const tensors: ForeignTensor[] = [];
  const cells: Cell[] = [];
  for (const row of chosen.rows) {
    const name = (row[0] ?? '').trim();
    const read = columns.map(([statistic, column]) => ({ statistic, cell: numberOf(row[column] ?? '') }));
    const sum = read.find(({ statistic, cell }) => statistic === 'sum' && cell)?.cell;
    const known = read.flatMap(({ statistic, cell }) => (cell ? [[statistic, cell.value] as const] : []));
    if (known.length === 0) {
      notRead.push({
        name: name || 'a row without a name',
        why: `${row.slice(1).join(', ') || 'nothing'} is no number`,
      });
      continue;
    }
    if (sum) cells.push(sum);
    const statistics: Partial<Statistics> = Object.fromEntries(known);
    const part = { statistics, sumResolution: sum?.resolution ?? 0, sample: null };
    tensors.push({ name, dtype: 'unknown', shape: null, size: null, pass: 0, part });
  }
  const isHalf = areHalves(cells);
  return {
    source,
    manifest: { table: chosen.title, ...(isHalf ? { sumsKeptIn: 'f16' } : {}) },
    tensors: isHalf ? tensors.map(withHalfResolution) : tensors,
    notRead,
  };
}

function chosenOf(usable: readonly TextTable[], wanted: number | string | undefined, source: string): TextTable {
  const titles = usable.map(({ title }, i) => `${i + 1} (${title})`).join(', ');
  const matching =
    wanted === undefined
      ? usable
      : usable.filter(({ title }, i) => `${i + 1}` === `${wanted}` || title.includes(`${wanted}`));
  const [only] = matching;
  if (only && matching.length === 1) return only;
  const found =
    wanted === undefined
      ? `it holds ${usable.length} tables of statistics`
      : `${matching.length} of its tables are ${wanted}`;
  throw new TraceError(
    `Cannot read ${source}: ${found}: ${titles}; name one by its number or by a part of its heading, as in ${source}#1`,
    { file: source },
  );
}

function noTable(source: string, tables: readonly TextTable[]): TraceError {
  const found =
    tables.length === 0 ? 'it holds no table' : `none of its ${tables.length} tables has a column of statistics`;
  return new TraceError(
    `Cannot read ${source}: ${found}; wanted a CSV or Markdown table with names in its first column and a column whose ` +
      'title says sum, mean, rms, min or max',
    { file: source },
  );
}

/** The line below a Markdown table's head, and a line of CSV whose titles name a statistic. */
const RULE = /^\s*\|?\s*:?-+:?\s*\|/m;
const CSV_HEAD = /^[^,;\t\n|]+[,;\t][^\n|]*\b(sum|mean|rms)\b/i;

/** Whether a text holds a table at all, of whatever. */
export function hasTable(text: string, path: string): boolean {
  return /\.[ct]sv$/i.test(path) || RULE.test(text) || CSV_HEAD.test(text);
}

function tablesOf(text: string, source: string): TextTable[] {
  const found = markdownTables(text);
  if (found.length > 0) return found;
  let rows: string[][];
  try {
    rows = parse(text, {
      bom: true,
      delimiter: [',', ';', '\t'],
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
    });
  } catch (cause) {
    throw new TraceError(`Cannot read ${source}: it is no CSV (${reasonOf(cause)}); write one tensor in each line`, {
      file: source,
      cause,
    });
  }
  const [head, ...body] = rows;
  return head && body.length > 0 ? [{ title: 'table 1', head, rows: body }] : [];
}

function markdownTables(text: string): TextTable[] {
  const tables: TextTable[] = [];
  let heading: string | null = null;
  for (const token of lexer(text)) {
    if (token.type === 'heading') heading = plain(token.tokens ?? []).trim();
    for (const table of within(token)) {
      tables.push({
        title: heading ?? `table ${tables.length + 1}`,
        head: table.header.map(({ tokens }) => plain(tokens).trim()),
        rows: table.rows.map((row) => row.map(({ tokens }) => plain(tokens).trim())),
      });
    }
  }
  return tables;
}

/** The tables in a token: itself, or those in a list or a quotation. */
function within(token: Token): Tokens.Table[] {
  if (token.type === 'table') return [token as Tokens.Table];
  const inner: Token[] =
    token.type === 'list' ? (token as Tokens.List).items : 'tokens' in token ? (token.tokens ?? []) : [];
  return inner.flatMap(within);
}

/** Text without what makes it bold, code or a link. */
function plain(tokens: readonly Token[]): string {
  return tokens
    .map((token) =>
      'tokens' in token && token.tokens ? plain(token.tokens) : 'text' in token ? String(token.text) : '',
    )
    .join('');
}

function columnsOf(head: readonly string[]): (readonly [Statistic, number])[] {
  return head.flatMap((title, column) => {
    const statistic = column > 0 && TITLES.find(([, pattern]) => pattern.test(title))?.[0];
    return statistic ? [[statistic, column] as const] : [];
  });
}

interface Cell {
  readonly value: number;
  /** Half a unit of its last digit; 0 where it is not finite. */
  readonly resolution: number;
}

const NUMBER = /^([+-]?)(?:(\d[\d,]*)(?:\.(\d*))?(?:e([+-]?\d+))?|(inf|infinity|∞)|(nan))$/i;

/** The number of a cell that holds one and nothing else but marks of emphasis. */
function numberOf(text: string): Cell | null {
  const bare = text.replace(/[*`≈~\s]/g, '').replace(/\u2212/g, '-');
  const match = NUMBER.exec(bare);
  if (!match) return null;
  const [, sign, whole, fraction = '', exponent = '0', infinite] = match;
  if (whole === undefined) {
    return {
      value: infinite ? (sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY) : Number.NaN,
      resolution: 0,
    };
  }
  const value = Number(bare.replaceAll(',', ''));
  return { value, resolution: halfUnit(fraction.length - Number(exponent)) };
}

/** Distance of two halves near a number. */
function halfSpacing(value: number): number {
  return 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value)))) - 10);
}

/** So many sums must be halves by more than chance. */
const EVIDENCE = 3;

/**
 * Whether sums were kept in f16: each is a half as near as its digits tell, and enough of them have digits that tell halves
 * from what lies between.
 */
function areHalves(cells: readonly Cell[]): boolean {
  const finite = cells.filter(({ value }) => Number.isFinite(value) && value !== 0);
  const isHalf = ({ value, resolution }: Cell) => {
    const spacing = halfSpacing(value);
    return Math.abs(value / spacing - Math.round(value / spacing)) * spacing <= resolution;
  };
  const telling = finite.filter(({ value, resolution }) => resolution <= halfSpacing(value) / 16);
  return telling.length >= EVIDENCE && finite.every(isHalf);
}

/** What a sum that was kept in f16 is known to, if its digits tell more. */
function withHalfResolution(tensor: ForeignTensor): ForeignTensor {
  const { part } = tensor;
  const sum = part?.statistics.sum;
  if (!part || sum === undefined || !Number.isFinite(sum) || sum === 0) return tensor;
  return { ...tensor, part: { ...part, sumResolution: Math.max(part.sumResolution, halfSpacing(sum) / 2) } };
}
