/** One attention head as a heatmap: which token looks at which. A click keeps one token: where it looks, who looks at it. */
import type { TopLevelSpec } from 'vega-lite';
import { type Chart, chart, percent, rounded } from './chart.ts';
import {
  type Block,
  blocksOf,
  blocksSaid,
  type Cell,
  cellsOf,
  mustHaveHead,
  patternOf,
  shareColour,
} from './pattern.ts';
import { type Source, textOf, traceOf } from './source.ts';

export interface AttentionOptions {
  readonly layer: number;
  readonly head: number;
}

/** More rows than this are drawn in blocks: 5,000 cells are what a saved notebook bears. */
const MOST_ROWS = 100;
/** Pixels of a cell that has room for a label, and of all cells where there is none. */
const WIDEST_CELL = 24;
const WIDEST_CHART = 620;
/** Pixels that a label takes; in less, some labels are left out. */
const LEAST_LABEL = 12;

/**
 * The pattern of one head, queries as rows and keys as columns; cells that the causal mask hides are left blank.
 * Throws TraceError where the layer was not run, its values were not kept, or it has no such head.
 */
export async function attention(source: Source, { layer, head }: AttentionOptions): Promise<Chart> {
  const trace = traceOf(source);
  const pattern = await patternOf(trace, layer, `attention of layer ${layer}`);
  mustHaveHead(pattern, head);
  const blocks = blocksOf(trace, pattern.end, MOST_ROWS);
  const cells = cellsOf(pattern, head, blocks);
  return chart(
    {
      title: `Where head ${head} of layer ${layer} looks`,
      subtitle: [
        textOf(trace),
        'Each row shares 100 % out over its token and those before it; later ones are masked: blank',
        ...blocksSaid(blocks),
        'Click a cell to keep its row’s token: where it looks, and who looks at it',
      ],
      description: `Heatmap of the attention of head ${head} in layer ${layer}: ${strongestSaid(blocks, cells)}.`,
    },
    heatmap(blocks, cells),
  );
}

/** The strongest cell away from the first token, where heads rest. */
function strongestSaid(blocks: readonly Block[], cells: readonly Cell[]): string {
  const label = (i: number) => blocks[i]?.label ?? `${i}`;
  const resting = cells.filter(({ key, query }) => key === 0 && query > 0);
  const share = resting.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, resting.length);
  const others = cells.filter(({ key }) => key > 0);
  const sink = `on average ${percent(share)} goes to ${label(0)}`;
  if (others.length === 0) return sink;
  const best = others.reduce((a, b) => (b.weight > a.weight ? b : a));
  return `${sink}; the strongest other link is from ${label(best.query)} to ${label(best.key)} with ${percent(best.weight)}`;
}

function heatmap(blocks: readonly Block[], cells: readonly Cell[]): TopLevelSpec {
  const labels = blocks.map(({ label }) => label);
  // Whole pixels, or seams show between the cells.
  const step = Math.max(1, Math.min(WIDEST_CELL, Math.floor(WIDEST_CHART / blocks.length)));
  const size = { step };
  const axis = { labelOverlap: step < LEAST_LABEL ? 'greedy' : false, ticks: false, domain: false } as const;
  const values = cells.map(({ query, key, weight }) => ({
    query: labels[query] as string,
    key: labels[key] as string,
    weight: rounded(weight),
  }));
  const kept = '!token.query || token.query[0] === datum.query || token.query[0] === datum.key';
  return {
    width: size,
    height: size,
    data: { values },
    params: [{ name: 'token', select: { type: 'point', fields: ['query'] } }],
    // Without aria each of thousands of cells would be read out; the description says what they show.
    mark: { type: 'rect', aria: false, cursor: 'pointer' },
    encoding: {
      x: {
        ...{ field: 'key', type: 'nominal', sort: labels, title: 'key: the token looked at' },
        axis: { ...axis, labelAngle: -90 },
      },
      y: {
        ...{ field: 'query', type: 'nominal', sort: labels, title: 'query: the token that looks' },
        axis,
      },
      color: shareColour(blocks),
      opacity: { condition: { test: kept, value: 1 }, value: 0.12 },
      tooltip: [
        { field: 'query', type: 'nominal', title: 'query' },
        { field: 'key', type: 'nominal', title: 'key' },
        { field: 'weight', type: 'quantitative', title: 'share of attention', format: '.2%' },
      ],
    },
  };
}
