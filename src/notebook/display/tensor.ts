/** Tensors: name, shape, statistics, how the values are spread, and the first of them. */

import { short, table } from '../../trace/plain_text.ts';
import { type Statistics, statisticsOf } from '../../trace/statistics.ts';
import { Tensor } from '../../trace/tensor.ts';
import { heading, html, htmlTable } from './html.ts';
import { instancesOf } from './kind.ts';

/** Rows and columns of values that are shown. */
const ROWS = 5;
const COLUMNS = 8;
/** Bars of the histogram. */
const BINS = 40;
const BLOCKS = '▁▂▃▄▅▆▇█';

export const tensor = instancesOf(Tensor, (value) => {
  const axes = value.shape.map((size, axis) => `${value.dims[axis]} ${size}`).join(', ');
  const known = statisticsOf(value.data);
  const statistics = statisticRows(known);
  const spread = histogram(value.data, known);
  const grid = firstValues(value);
  const align = grid.head.map((_, i) => (i === 0 ? 'left' : 'right'));
  return {
    'text/html': html`${heading(value.name, `[${axes}]`)}
${htmlTable(
  statistics.map(([what]) => what),
  [statistics.map(([, number]) => number)],
)}
${spread ? html`<div><code style="white-space: pre">${spread.low} ${spread.bars} ${spread.high}</code> <span style="opacity: 0.75">${SCALE}</span></div>` : ''}
${htmlTable(grid.head, grid.rows, align)}${grid.note ? html`<div style="opacity: 0.75">${grid.note}</div>` : ''}`.text,
    'text/plain': [
      `${value.name} [${axes}]`,
      statistics.map(([what, number]) => `${what} ${number}`).join('  '),
      ...(spread ? [`${spread.low} ${spread.bars} ${spread.high}  ${SCALE}`] : []),
      table([grid.head, ...grid.rows], align),
      ...(grid.note ? [grid.note] : []),
    ].join('\n'),
  };
});

function statisticRows(known: Statistics): [what: string, number: string][] {
  const { n, rms, mean, min, max, zeroCount, nanCount, infCount } = known;
  return [
    ['values', n.toLocaleString('en')],
    ['RMS', short(rms)],
    ['mean', short(mean)],
    ['min', short(min)],
    ['max', short(max)],
    ['zeros', `${zeroCount}`],
    ['NaN', `${nanCount}`],
    ['Inf', `${infCount}`],
  ];
}

const SCALE = 'how many lie where, heights on a log scale';

interface Spread {
  readonly low: string;
  readonly bars: string;
  readonly high: string;
}

/** From the smallest to the largest finite value; null where there is no range. */
function histogram(data: Float32Array, { min, max }: Statistics): Spread | null {
  if (min === null || max === null || min === max) return null;
  const counts = new Array<number>(BINS).fill(0);
  for (const value of data) {
    if (Number.isFinite(value)) counts[Math.min(BINS - 1, Math.floor((BINS * (value - min)) / (max - min)))]! += 1;
  }
  const most = Math.log1p(Math.max(...counts));
  // An empty bin is blank, one with a single value is not.
  const block = (count: number) =>
    count === 0 ? '\u2007' : BLOCKS[Math.round((Math.log1p(count) / most) * (BLOCKS.length - 1))];
  return { low: short(min), bars: counts.map(block).join(''), high: short(max) };
}

interface Grid {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What was left out; empty where nothing was. */
  readonly note: string;
}

/** The corner of the last two axes, at 0 of those before them. */
function firstValues({ shape, dims, data }: Tensor): Grid {
  const rank = shape.length;
  const columns = shape[rank - 1] ?? 1;
  const rows = rank > 1 ? shape[rank - 2]! : Math.min(1, data.length);
  const [shownRows, shownColumns] = [Math.min(rows, ROWS), Math.min(columns, COLUMNS)];
  const more = columns > shownColumns ? ['…'] : [];
  const indices = rank === 0 ? ['value'] : Array.from({ length: shownColumns }, (_, column) => `${column}`);
  const lines = Array.from({ length: shownRows }, (_, row) => {
    const values = data.subarray(row * columns, row * columns + shownColumns);
    return [rank > 1 ? `${dims[rank - 2]} ${row}` : '', ...Array.from(values, number), ...more];
  });
  const leading = dims.slice(0, Math.max(0, rank - 2)).map((dim) => `${dim} 0`);
  const notes = [
    ...(leading.length > 0 ? [`at ${leading.join(', ')}`] : []),
    ...(rows > shownRows ? [`${rows - shownRows} more along ${dims[rank - 2]}`] : []),
  ];
  return { head: [rank > 0 ? `${dims[rank - 1]}` : '', ...indices, ...more], rows: lines, note: notes.join('; ') };
}

/** As a statistic, but NaN and Inf are what they are. */
function number(value: number): string {
  return Number.isFinite(value) ? short(value) : `${value}`;
}
