/** One attention head on both sides, and where they look differently. */
import { TraceError } from '../errors.ts';
import type { AttentionOptions } from './attention.ts';
import { type Chart, chart, DIVERGING, percent, rounded, short, type Unit } from './chart.ts';
import {
  type Block,
  blocksOf,
  blocksSaid,
  type Cell,
  cellsOf,
  mustHaveHead,
  type Pattern,
  patternOf,
  shareColour,
} from './pattern.ts';
import { type Source, textOf, traceOf } from './source.ts';

/** Three panels stand side by side: rows of each, and pixels. */
const MOST_ROWS = 60;
const [WIDEST_CELL, WIDEST_PANEL, LEAST_LABEL] = [24, 250, 12];

interface Compared {
  readonly query: string;
  readonly key: string;
  readonly ours: number;
  readonly reference: number;
  readonly difference: number;
}

/**
 * The pattern of one head in ours, in the reference, and ours minus the reference. Throws TraceError where a side has no
 * such layer or head, its values were not kept, or the two are over other positions.
 */
export async function attentionDifference(
  ours: Source,
  reference: Source,
  { layer, head }: AttentionOptions,
): Promise<Chart> {
  const trace = traceOf(ours);
  const mine = await patternOf(trace, layer, `attention of layer ${layer}`);
  const theirs = await patternOf(traceOf(reference), layer, `attention of layer ${layer} in the reference`);
  for (const pattern of [mine, theirs]) mustHaveHead(pattern, head);
  mustBeOver(mine, theirs);
  const blocks = blocksOf(trace, mine.end, MOST_ROWS);
  const cells = comparedCells(
    blocks,
    cellsOf(mine, head, blocks),
    new Map(cellsOf(theirs, head, blocks).map((cell) => [placeOf(cell), cell.weight])),
  );
  const finite = cells.filter(({ difference }) => Number.isFinite(difference));
  const share = shareColour(blocks);
  const most = finite.reduce((a, { difference }) => Math.max(a, Math.abs(difference)), 0);
  return chart(
    {
      title: `Where head ${head} of layer ${layer} looks, and where the two sides differ`,
      subtitle: [
        textOf(trace),
        'Each row shares 100 % out; later tokens are masked: blank. On the right ours minus reference, lightest where they agree',
        ...blocksSaid(blocks),
        ...(finite.length < cells.length
          ? [`Cells that are not finite, left blank: ${cells.length - finite.length}`]
          : []),
      ],
      description: `Three heatmaps of head ${head} in layer ${layer}: ours, the reference, and their difference: ${differenceSaid(finite)}.`,
    },
    {
      data: { values: finite },
      hconcat: [
        heatmap(blocks, 'ours', { ...share, field: 'ours', legend: null }),
        heatmap(blocks, 'reference', { ...share, field: 'reference', legend: { ...share.legend, ...BELOW } }),
        heatmap(blocks, 'ours - reference', differenceColour(most)),
      ],
      resolve: { scale: { color: 'independent' } },
    },
  );
}

function mustBeOver(mine: Pattern, theirs: Pattern): void {
  if (mine.start === theirs.start && mine.end === theirs.end) return;
  const over = ({ start, end }: Pattern) => `positions ${start} to ${end - 1}`;
  throw new TraceError(
    `Cannot draw the difference of attention: ours is over ${over(mine)}, the reference over ${over(theirs)}; ` +
      'give two runs of the same tokens',
  );
}

const placeOf = ({ query, key }: Cell) => `${query},${key}`;

function comparedCells(
  blocks: readonly Block[],
  ours: readonly Cell[],
  theirs: ReadonlyMap<string, number>,
): Compared[] {
  const label = (i: number) => blocks[i]?.label ?? `${i}`;
  return ours.map((cell) => {
    const reference = theirs.get(placeOf(cell)) ?? Number.NaN;
    return {
      ...{ query: label(cell.query), key: label(cell.key) },
      ...{ ours: rounded(cell.weight), reference: rounded(reference), difference: rounded(cell.weight - reference) },
    };
  });
}

function differenceSaid(cells: readonly Compared[]): string {
  const worst = cells.reduce<Compared | undefined>(
    (a, b) => (a && Math.abs(a.difference) >= Math.abs(b.difference) ? a : b),
    undefined,
  );
  if (!worst) return 'no cell is finite on both sides';
  if (worst.difference === 0) return 'they are the same';
  if (Math.abs(worst.difference) < 1e-3) return `nowhere larger than ${short(Math.abs(worst.difference))}`;
  return `largest from ${worst.query} to ${worst.key}, ${percent(worst.ours)} for ${percent(worst.reference)}`;
}

/** Where a legend does not part the panels. */
const BELOW = { orient: 'bottom', direction: 'horizontal', gradientLength: 180 } as const;

function differenceColour(most: number) {
  const domain: number[] = [-(most || 1), most || 1];
  return {
    field: 'difference',
    type: 'quantitative',
    title: 'difference of shares',
    scale: { scheme: DIVERGING, domain, domainMid: 0 },
    legend: { format: most < 0.05 ? '.0e' : '+.0%', tickCount: 5, ...BELOW },
  } as const;
}

type Panel = Omit<Unit, 'data'>;
type Colour = NonNullable<Unit['encoding']>['color'];

/** Ours, the first panel, names the queries for all. */
function heatmap(blocks: readonly Block[], title: string, color: Colour): Panel {
  const labels = blocks.map(({ label }) => label);
  const step = Math.max(1, Math.min(WIDEST_CELL, Math.floor(WIDEST_PANEL / blocks.length)));
  const isFirst = title === 'ours';
  const axis = { labelOverlap: step < LEAST_LABEL ? 'greedy' : false, ticks: false, domain: false } as const;
  const percentages = (['ours', 'reference', 'difference'] as const).map(
    (side) => ({ field: side, type: 'quantitative', title: side, format: '.3%' }) as const,
  );
  return {
    title: { text: title, anchor: 'start', frame: 'group', fontSize: 13 },
    ...{ width: { step }, height: { step } },
    mark: { type: 'rect', aria: false },
    encoding: {
      x: {
        ...{ field: 'key', type: 'nominal', sort: labels, title: 'key: the token looked at' },
        axis: { ...axis, labelAngle: -90 },
      },
      y: {
        ...{ field: 'query', type: 'nominal', sort: labels, title: isFirst ? 'query: the token that looks' : null },
        axis: { ...axis, labels: isFirst },
      },
      color,
      tooltip: [
        { field: 'query', type: 'nominal', title: 'query' },
        { field: 'key', type: 'nominal', title: 'key' },
        ...percentages,
      ],
    },
  };
}
