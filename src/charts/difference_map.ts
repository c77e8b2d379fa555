/** Which tokens feel a change made on purpose, and after which layer: the residual stream against that of the run without it. */
import { type Chart, chart, percent, rounded, SEQUENTIAL } from './chart.ts';
import { type Block, blocksOf } from './pattern.ts';
import { layersOf, mustBeOfOneText, type Source, textOf, tokenRows, traceOf } from './source.ts';

/** More columns than this are drawn in blocks. */
const MOST_COLUMNS = 150;
const [WIDEST_CELL, WIDEST_CHART, LEAST_LABEL] = [26, 900, 12];
const CHART = 'the map of a difference';

interface Cell {
  readonly layer: number;
  readonly token: string;
  readonly difference: number;
}

/**
 * ‖ours − reference‖ / ‖reference‖ of `l_out` by layer and token. Throws TraceError where a side has no layer, its values
 * were not kept, or the two are over different tokens.
 */
export async function differenceMap(ours: Source, reference: Source): Promise<Chart> {
  const [trace, other] = [traceOf(ours), traceOf(reference)];
  mustBeOfOneText(trace, other, CHART);
  const cells: Cell[] = [];
  let blocks: Block[] = [];
  for (const layer of layersOf(trace, 'l_out', CHART)) {
    const mine = await tokenRows(trace, `l_out-${layer}`, CHART);
    const theirs = (await tokenRows(other, `l_out-${layer}`, CHART)).tensor;
    const errors = mine.tensor.sub(theirs).norm(-1).data;
    const sizes = theirs.norm(-1).data;
    blocks = blocksOf(trace, mine.pos0 + errors.length, MOST_COLUMNS);
    for (const { start, end, label } of blocks) {
      const of = (norms: Float32Array) =>
        Math.hypot(...norms.subarray(Math.max(0, start - mine.pos0), Math.max(0, end - mine.pos0)));
      const difference = of(errors) === 0 ? 0 : of(errors) / of(sizes);
      if (Number.isFinite(difference)) cells.push({ layer, token: label, difference: rounded(difference) });
    }
  }
  const size = (blocks[0]?.end ?? 1) - (blocks[0]?.start ?? 0);
  const step = Math.max(1, Math.min(WIDEST_CELL, Math.floor(WIDEST_CHART / blocks.length)));
  const axis = { ticks: false, domain: false } as const;
  const most = Math.max(1e-6, ...cells.map(({ difference }) => difference));
  return chart(
    {
      title: 'Which tokens the change reaches, and after which layer',
      subtitle: [
        textOf(trace),
        'Relative RMS difference of l_out; a token never feels what stands after it',
        ...(size > 1 ? [`Drawn in blocks of ${size} tokens, each as one vector`] : []),
      ],
      description: `Heatmap of the difference of the residual stream by layer and token: ${largestSaid(cells)}.`,
    },
    {
      width: { step },
      height: { step: 22 },
      data: { values: cells },
      mark: { type: 'rect', aria: false, cursor: 'pointer' },
      encoding: {
        x: {
          ...{ field: 'token', type: 'nominal', sort: blocks.map(({ label }) => label) },
          title: 'token (position and piece)',
          axis: { ...axis, labelAngle: -90, labelOverlap: step < LEAST_LABEL ? 'greedy' : false },
        },
        y: { field: 'layer', type: 'ordinal', title: 'after layer', axis },
        color: {
          ...{ field: 'difference', type: 'quantitative', title: 'relative RMS difference' },
          scale: { scheme: SEQUENTIAL, domain: [0, Number(most.toPrecision(2))], clamp: true },
          legend: { format: '.2~%', gradientLength: 120 },
        },
        tooltip: [
          { field: 'token', type: 'nominal', title: 'token' },
          { field: 'layer', type: 'ordinal', title: 'layer' },
          { field: 'difference', type: 'quantitative', title: 'relative RMS difference', format: '.3~%' },
        ],
      },
    },
  );
}

function largestSaid(cells: readonly Cell[]): string {
  const largest = cells.reduce<Cell | undefined>((a, b) => (a && a.difference >= b.difference ? a : b), undefined);
  if (!largest || largest.difference === 0) return 'there is none';
  const size = largest.difference > 1 ? `${Math.round(100 * largest.difference)} %` : percent(largest.difference);
  return `the largest is ${size}, at ${largest.token} after layer ${largest.layer}`;
}
