/**
 * The length of the residual stream at each token, layer by layer. A token that outgrows all others, most often the first,
 * is where heads with nothing to do rest (Sun et al. 2024, "Massive activations", arXiv:2402.17762).
 */
import { type Chart, chart, FOUR_DIGITS, rounded, SEQUENTIAL, short } from './chart.ts';
import { type Block, blocksOf } from './pattern.ts';
import { layersOf, type Source, textOf, tokenRows, traceOf } from './source.ts';

/** More columns than this are drawn in blocks. */
const MOST_COLUMNS = 150;
const [WIDEST_CELL, WIDEST_CHART, LEAST_LABEL] = [26, 900, 12];

interface Cell {
  readonly layer: number;
  readonly token: string;
  readonly norm: number;
}

/** ‖l_out‖₂ by layer and token. Throws TraceError where no layer was run, or values were not kept. */
export async function residualNorm(source: Source): Promise<Chart> {
  const trace = traceOf(source);
  const cells: Cell[] = [];
  let blocks: Block[] = [];
  for (const layer of layersOf(trace, 'l_out', 'the norm of the residual stream')) {
    const { pos0, tensor } = await tokenRows(trace, `l_out-${layer}`, 'the norm of the residual stream');
    const norms = tensor.norm(-1).data;
    blocks = blocksOf(trace, pos0 + norms.length, MOST_COLUMNS);
    for (const { start, end, label } of blocks) {
      const part = norms.subarray(Math.max(0, start - pos0), Math.max(0, end - pos0));
      const mean = part.reduce((sum, norm) => sum + norm, 0) / part.length;
      if (mean > 0) cells.push({ layer, token: label, norm: rounded(mean) });
    }
  }
  const size = (blocks[0]?.end ?? 1) - (blocks[0]?.start ?? 0);
  const step = Math.max(1, Math.min(WIDEST_CELL, Math.floor(WIDEST_CHART / blocks.length)));
  const axis = { ticks: false, domain: false } as const;
  return chart(
    {
      title: 'How long the residual stream is at each token',
      subtitle: [
        textOf(trace),
        'L2 norm of l_out, in the model’s own units; colours on a log scale',
        ...(size > 1 ? [`Drawn in blocks of ${size} tokens: the mean of their norms`] : []),
      ],
      description: `Heatmap of the norm of the residual stream by layer and token: ${largestSaid(cells)}.`,
    },
    {
      width: { step },
      height: { step: 22 },
      data: { values: cells },
      mark: { type: 'rect', aria: false },
      encoding: {
        x: {
          ...{
            field: 'token',
            type: 'nominal',
            sort: blocks.map(({ label }) => label),
            title: 'token (position and piece)',
          },
          axis: { ...axis, labelAngle: -90, labelOverlap: step < LEAST_LABEL ? 'greedy' : false },
        },
        y: { field: 'layer', type: 'ordinal', title: 'after layer', axis },
        color: {
          field: 'norm',
          type: 'quantitative',
          title: 'L2 norm (log scale)',
          ...logColours(cells),
        },
        tooltip: [
          { field: 'token', type: 'nominal', title: 'token' },
          { field: 'layer', type: 'ordinal', title: 'layer' },
          { field: 'norm', type: 'quantitative', title: 'L2 norm', format: FOUR_DIGITS },
        ],
      },
    },
  );
}

/** From the least to the largest norm: a log scale of less than two decades has hardly a power of ten for its legend. */
function logColours(cells: readonly Cell[]) {
  const scale = { type: 'log', scheme: SEQUENTIAL } as const;
  const legend = { gradientLength: 120, format: '~g' };
  const norms = cells.map(({ norm }) => norm);
  const [least, most] = [Math.min(...norms), Math.max(...norms)];
  const values = [least, Math.sqrt(least * most), most].map((norm) => Number(norm.toPrecision(2)));
  const [from, , to] = values as [number, number, number];
  if (!(from < to)) return { scale, legend };
  return { scale: { ...scale, domain: [from, to], clamp: true }, legend: { ...legend, values } };
}

function largestSaid(cells: readonly Cell[]): string {
  if (cells.length === 0) return 'it is zero everywhere';
  const largest = cells.reduce((a, b) => (b.norm > a.norm ? b : a));
  return `the largest is ${short(largest.norm)}, at ${largest.token} after layer ${largest.layer}`;
}
