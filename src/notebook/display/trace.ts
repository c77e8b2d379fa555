/** Traces, a run's as well as a file's or llama.cpp's: what they are of, and a table of their tensors' statistics. */
import { textOf } from '../../charts/source.ts';
import { RunTrace } from '../../engine/run_trace.ts';
import { short, table } from '../../trace/plain_text.ts';
import { RowTrace, type Trace, type TraceRow } from '../../trace/trace.ts';
import { type Align, heading, html, htmlTable, scrolling } from './html.ts';
import { kindOf } from './kind.ts';

/** Rows that are shown, half from each end: as HTML, where they scroll, and as plain text. */
const MOST_ROWS = 100;
const MOST_LINES = 20;

export const trace = kindOf(
  (value): value is Trace => value instanceof RunTrace || value instanceof RowTrace,
  (value) => {
    const { entries, manifest } = value;
    const values = entries.filter(({ hasValues }) => hasValues).length;
    const title = `Trace of ${manifest.file ?? 'a run'}`;
    const rest = `${entries.length} tensors, ${values} with values; ${textOf(value)}`;
    const rows = statisticsTable(entries, MOST_ROWS);
    const lines = statisticsTable(entries, MOST_LINES);
    return {
      'text/html': html`${heading(title, rest)}\n${scrolling(htmlTable(rows.head, rows.rows, STATISTICS_ALIGN))}`.text,
      'text/plain': [`${title}: ${rest}`, table([lines.head, ...lines.rows], STATISTICS_ALIGN)].join('\n'),
    };
  },
);

/** Of the columns of `statisticsTable`. */
export const STATISTICS_ALIGN: readonly Align[] = ['left', 'left', ...Array<'right'>(6).fill('right')];

/**
 * Rows as text under their heads. With more than `most` rows those in the middle are left out, and a row says so.
 */
export function statisticsTable(
  rows: readonly TraceRow[],
  most = Number.POSITIVE_INFINITY,
): { readonly head: string[]; readonly rows: string[][] } {
  const hasPasses = rows.some(({ pass }) => pass > 0);
  const head = ['tensor', 'shape', 'rms', 'mean', 'min', 'max', 'NaN', 'Inf'];
  const line = ({ name, pass, shape, statistics }: TraceRow) => [
    hasPasses ? `${name} (pass ${pass})` : name,
    `[${shape.join(', ')}]`,
    ...[statistics.rms, statistics.mean, statistics.min, statistics.max].map(short),
    ...[statistics.nanCount, statistics.infCount].map((count) => (count === 0 ? '·' : `${count}`)),
  ];
  if (rows.length <= most) return { head, rows: rows.map(line) };
  const half = Math.floor(most / 2);
  const left = rows.length - 2 * half;
  const middle = [`… ${left} more …`, ...head.slice(1).map(() => '')];
  return { head, rows: [...rows.slice(0, half).map(line), middle, ...rows.slice(-half).map(line)] };
}
