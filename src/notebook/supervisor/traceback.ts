/** Errors as a notebook shows them: what went wrong, where in the cells, and that line with a mark under the place. */
import { styleText } from 'node:util';
import { shownWidth } from '../../trace/plain_text.ts';
import type { ErrorOutput } from '../cells.ts';
import type { CellDiagnostic } from '../compiler/diagnostic.ts';
import type { Thrown } from '../executor/wire.ts';

/** The code of cells that ran, by what the user sees them called. */
export type CellSources = ReadonlyMap<number, string>;

const red = (text: string) => styleText('red', text, { validateStream: false });
const gray = (text: string) => styleText('gray', text, { validateStream: false });

/** What a cell threw. */
export function errorOf({ name, message, stack }: Thrown, sources: CellSources): ErrorOutput {
  const heading = headingOf(stack, `${name}: ${message}`);
  const rest = stack.slice(heading.length);
  const frames = rest.split('\n').slice(1);
  return {
    type: 'error',
    ename: name,
    evalue: message,
    traceback: [
      ...heading.split('\n').map(red),
      ...excerptOf(rest, sources),
      ...frames.map((line) => (/\bcell \d+:\d+/.test(line) ? line : gray(line))),
    ],
  };
}

/** What stands before the frames; `usual`, where it begins so, whatever that looks like. */
function headingOf(stack: string, usual: string): string {
  if (stack.startsWith(`${usual}\n`)) return usual;
  const first = stack.indexOf('\n    at ');
  return first < 0 ? stack : stack.slice(0, first);
}

/** The line of the innermost place in a cell. */
function excerptOf(stack: string, sources: CellSources): string[] {
  const place = /\bcell (\d+):(\d+):(\d+)/.exec(stack);
  if (!place) return [];
  const [count, line, column] = place.slice(1).map(Number) as [number, number, number];
  const text = sources.get(count)?.split('\n')[line - 1];
  return text === undefined ? [] : ['', ...marked(`cell ${count}, line ${line}`, text, column, 1), ''];
}

/** As many as a screen shows; the others often follow from them. */
const MOST_DIAGNOSTICS = 10;

/** What TypeScript has against a cell. */
export function diagnosticsError(diagnostics: readonly CellDiagnostic[], count: number): ErrorOutput {
  const [first] = diagnostics;
  // TS1000 to TS1999 are of syntax.
  const isSyntax = first !== undefined && (first.code === null || (first.code >= 1000 && first.code < 2000));
  const traceback = diagnostics
    .slice(0, MOST_DIAGNOSTICS)
    .flatMap(({ file, line, column, length, text, code, message }, i) => {
      const place = `${file ?? `cell ${count}`}:${line}:${column}`;
      const gap = i === 0 ? [] : [''];
      const source = code === null ? red('error:') : `${red('error')} ${gray(`TS${code}:`)}`;
      return [...gap, `${place} - ${source} ${message}`, ...marked(null, text, column, length)];
    });
  const more = diagnostics.length - MOST_DIAGNOSTICS;
  if (more > 0) traceback.push('', `… and ${more} more`);
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
  const [before, under] = [
    shown.slice(0, column - 1 - from),
    shown.slice(column - 1 - from, column - 1 - from + length),
  ];
  // Tabs stay tabs and wide characters take two columns, so that the mark stands under its place.
  const indent = before.replace(/[^\t]+/g, (part) => ' '.repeat(shownWidth(part)));
  const mark = length > 1 ? '~'.repeat(Math.max(1, shownWidth(under))) : '^';
  return [...(label === null ? [] : [gray(label)]), `  ${shown}`, `  ${red(indent + mark)}`];
}
