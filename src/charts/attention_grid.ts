/** Every head of a layer, or of all layers, as small multiples: which heads are worth a closer look with `attention`. */
import type { TopLevelSpec } from 'vega-lite';
import { type Chart, chart, rounded } from './chart.ts';
import { type Block, blocksOf, blocksSaid, cellsOf, type Pattern, patternOf, shareColour } from './pattern.ts';
import { layersOf, type Source, textOf, traceOf } from './source.ts';

export interface AttentionGridOptions {
  /** All layers that were run by default. */
  readonly layer?: number;
}

/** What a saved notebook bears, over all panels, and in one. */
const MOST_CELLS = 10_000;
const MOST_ROWS = 48;
/** Pixels of a panel: of one layer, and of many. */
const [LARGE, SMALL] = [150, 76];

/**
 * The patterns of all heads as a grid, one row per layer and one column per head. Throws TraceError where no layer was
 * run, or values were not kept.
 */
export async function attentionGrid(source: Source, { layer }: AttentionGridOptions = {}): Promise<Chart> {
  const trace = traceOf(source);
  const layers = layer === undefined ? layersOf(trace, 'kq_soft_max', 'attention of all layers') : [layer];
  const patterns: Pattern[] = [];
  for (const each of layers) patterns.push(await patternOf(trace, each, `attention of layer ${each}`));
  const nHead = patterns.reduce((sum, pattern) => sum + pattern.nHead, 0);
  const end = Math.max(...patterns.map((pattern) => pattern.end));
  const blocks = blocksOf(
    trace,
    end,
    Math.max(2, Math.min(MOST_ROWS, Math.floor(Math.sqrt((2 * MOST_CELLS) / nHead)))),
  );
  const what = layers.length > 1 ? `${layers.length} layers` : `layer ${layers[0]}`;
  return chart(
    {
      title: `Where the ${nHead} heads of ${what} look`,
      subtitle: [
        textOf(trace),
        'In each panel rows are queries, columns keys, the first token top left; blank: masked',
        ...blocksSaid(blocks),
        ...(layers.length > 1 && blocks.length < end ? ['One layer alone, with { layer }, shows more'] : []),
      ],
      description: `Grid of ${nHead} small heatmaps, one per attention head of ${what}, over ${end} tokens.`,
    },
    grid(patterns, blocks),
  );
}

function grid(patterns: readonly Pattern[], blocks: readonly Block[]): TopLevelSpec {
  const labels = blocks.map(({ label }) => label);
  const values = patterns.flatMap((pattern) =>
    Array.from({ length: pattern.nHead }, (_, head) =>
      cellsOf(pattern, head, blocks).map(({ query, key, weight }) => ({
        layer: pattern.layer,
        head,
        query: labels[query] as string,
        key: labels[key] as string,
        weight: rounded(weight),
      })),
    ).flat(),
  );
  const size = patterns.length === 1 ? LARGE : SMALL;
  const step = Math.max(1, Math.floor(size / blocks.length));
  const head = { field: 'head', type: 'ordinal', title: 'head' } as const;
  const header = { labelFontSize: 11, titleFontSize: 12 } as const;
  return {
    data: { values },
    ...(patterns.length === 1
      ? { facet: { ...head, header }, columns: 4 }
      : {
          facet: {
            row: { field: 'layer', type: 'ordinal', title: 'layer', header: { ...header, labelAngle: 0 } },
            column: { ...head, header },
          },
        }),
    spacing: 8,
    spec: {
      width: { step },
      height: { step },
      mark: { type: 'rect', aria: false },
      encoding: {
        x: { field: 'key', type: 'nominal', sort: labels, axis: null },
        y: { field: 'query', type: 'nominal', sort: labels, axis: null },
        color: shareColour(blocks),
        tooltip: [
          { field: 'layer', type: 'ordinal', title: 'layer' },
          head,
          { field: 'query', type: 'nominal', title: 'query' },
          { field: 'key', type: 'nominal', title: 'key' },
          { field: 'weight', type: 'quantitative', title: 'share of attention', format: '.2%' },
        ],
      },
    },
  };
}
