/** Errors as a notebook shows them: what went wrong, where in the cells, and that line with a mark under the place. */
import { styleText } from 'node:util';
import type { ErrorOutput } from '../cells.ts';
import type { CellDiagnostic } from '../compiler/cell_compiler.ts';
import type { Thrown } from '../executor/wire.ts';

/** The code of cells that ran, by what the user sees them called. */
export type CellSources = ReadonlyMap<number, string>;

const red = (text: string) => styleText('red', text, { validateStream: false });
const gray = (text: string) => styleText('gray', text, { validateStream: false });

/** What a cell threw. */
export function errorOf({ name, message, stack }: Thrown, sources: CellSources): ErrorOutput {
  const lines = stack.split('\n');
  const first = lines.findIndex((line) => line.startsWith('    at '));
  const headingLength = first < 0 ? lines.length : first;
  const heading = lines.slice(0, headingLength).map(red);
  const frames = lines.slice(headingLength).map((line) => (/\bcell \d+:\d+/.test(line) ? line : gray(line)));
  return {
    type: 'error',
    ename: name,
    evalue: message,
    traceback: [...heading, ...excerptOf(stack, sources), ...frames],
  };
}

/** The line of the innermost place in a cell. */
function excerptOf(stack: string, sources: CellSources): string[] {
  const place = /\bcell (\d+):(\d+):(\d+)/.exec(stack);
  if (!place) return [];
  const [count, line, column] = place.slice(1).map(Number) as [number, number, number];
  const text = sources.get(count)?.split('\n')[line - 1];
  return text === undefined ? [] : ['', ...marked(`cell ${count}, line ${line}`, text, column, 1), ''];
}

/** What TypeScript has against a cell. */
export function diagnosticsError(diagnostics: readonly CellDiagnostic[], count: number): ErrorOutput {
  const [first] = diagnostics;
  // TS1000 to TS1999 are of syntax.
  const isSyntax = first !== undefined && (first.code === null || (first.code >= 1000 && first.code < 2000));
  const traceback = diagnostics.flatMap(({ file, line, column, length, text, code, message }, i) => {
    const place = `${file ?? `cell ${count}`}:${line}:${column}`;
    const gap = i === 0 ? [] : [''];
    const source = code === null ? red('error:') : `${red('error')} ${gray(`TS${code}:`)}`;
    return [...gap, `${place} - ${source} ${message}`, ...marked(null, text, column, length)];
  });
  return {
    type: 'error',
    ename: isSyntax ? 'SyntaxError' : 'TypeError',
    evalue: first
      ? `${first.code === null ? '' : `TS${first.code}: `}${first.message.split('\n')[0]} (line ${first.line})`
      : '',
    traceback,
  };
}

/** Characters of a line that are shown. */
const WIDEST = 160;

function marked(label: string | null, text: string, column: number, length: number): string[] {
  const from = Math.max(0, Math.min(column - 1 - WIDEST / 2, text.length - WIDEST));
  const shown = text.slice(from, from + WIDEST);
  // Tabs stay tabs, so that the mark stands under its place.
  const indent = shown.slice(0, column - 1 - from).replace(/[^\t]/g, ' ');
  const mark = `${indent}${'~'.repeat(Math.max(1, Math.min(length, shown.length - indent.length)))}`;
  return [...(label === null ? [] : [gray(label)]), `  ${shown}`, `  ${red(length > 1 ? mark : `${indent}^`)}`];
}
