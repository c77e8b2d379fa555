/**
 * The RMS of both sides along a run, with the error and the turn beside it. An RMS alone proves little: a fault that turns
 * vectors, such as one of RoPE, moves none of them, and both other panels.
 */
import type { Comparison } from '../compare/comparison.ts';
import {
  decades,
  LEAST_TURN,
  orderAxis,
  POINT,
  type Point,
  pointsOf,
  pointsSaid,
  pointTooltip,
  sidesSaid,
  standingLooks,
} from './along_run.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, type Layers, short, type Unit } from './chart.ts';

const WIDTH = 720;
const [TALL, LOW] = [190, 130];

/**
 * Three panels over the tensors in the order of execution: RMS of both, relative RMS error, 1 - cosine; all on log scales.
 * Rejects with TraceError where the comparison was refused, or has no values.
 */
export async function rmsBeside(comparison: Comparison): Promise<Chart> {
  const points = pointsOf(comparison, 'the RMS of both sides');
  const zeros = points.filter(({ rmsOurs, rmsReference }) => !(rmsOurs > 0 && rmsReference > 0));
  return chart(
    {
      title: 'The size of each tensor on both sides, and how far they are apart',
      subtitle: [
        sidesSaid(comparison),
        'A dot in its ring: the same RMS. Two tensors can have that and point elsewhere: read all three panels',
        ...pointsSaid(comparison, points),
        ...(zeros.length > 0 ? [`RMS of 0 or unknown, so not drawn: ${zeros.length}`] : []),
      ],
      description: `Three panels over ${points.length} tensors in order of execution: ${rmsSaid(points)}.`,
    },
    {
      vconcat: [
        rmsPanel(comparison, points),
        {
          spacing: 10,
          vconcat: [
            errorPanel(comparison, points, { field: 'drawn', title: 'relative RMS error (log)', isLast: false }),
            errorPanel(comparison, points, { field: 'turned', title: '1 - cosine (log)', isLast: true }),
          ],
        },
      ],
      resolve: { scale: { color: 'independent', shape: 'independent' } },
      spacing: 10,
    },
  );
}

/** How far the RMS of both are apart at most, and the error beside it. */
function rmsSaid(points: readonly Point[]): string {
  const ratio = ({ rmsOurs, rmsReference }: Point) => Math.abs(Math.log(rmsOurs / rmsReference));
  const worst = points
    .filter((point) => Number.isFinite(ratio(point)))
    .reduce<Point | undefined>((a, b) => (a && ratio(a) >= ratio(b) ? a : b), undefined);
  const furthest = points.reduce((a, b) => (b.drawn > a.drawn ? b : a));
  const error = `the largest relative RMS error is ${furthest.error}, at ${furthest.name}`;
  if (!worst) return error;
  return `the RMS is furthest apart at ${worst.name}, ${short(worst.rmsOurs)} and ${short(worst.rmsReference)}; ${error}`;
}

/** In the words of the legend. */
const SIDES = { rmsOurs: 'ours (dot)', rmsReference: 'reference (ring)' } as const;

function rmsPanel(comparison: Comparison, points: readonly Point[]): Layers {
  const x = orderAxis(comparison, false);
  const colour = {
    field: 'side',
    type: 'nominal',
    title: 'RMS of',
    scale: { domain: Object.values(SIDES), range: [CATEGORIES[0], CATEGORIES[6]] },
    legend: { orient: 'top', symbolType: 'circle' },
  } as const;
  const unit = (field: keyof typeof SIDES, mark: Unit['mark']): Unit => ({
    data: { values: points.filter((point) => point[field] > 0).map((point) => ({ ...point, side: SIDES[field] })) },
    mark,
    encoding: {
      x,
      y: {
        ...{ field, type: 'quantitative', title: 'RMS (log scale)' },
        scale: { type: 'log', nice: true },
        axis: { format: '~g', values: decades(points.flatMap(({ rmsOurs, rmsReference }) => [rmsOurs, rmsReference])) },
      },
      color: colour,
      tooltip: [
        { field: 'name', type: 'nominal', title: 'tensor' },
        { field: 'rmsOurs', type: 'quantitative', title: 'RMS of ours', format: FOUR_DIGITS },
        { field: 'rmsReference', type: 'quantitative', title: 'RMS of the reference', format: FOUR_DIGITS },
      ],
    },
  });
  return {
    ...{ width: WIDTH, height: TALL },
    layer: [
      unit('rmsReference', { ...POINT, filled: false, size: 70, strokeWidth: 1.2 }),
      unit('rmsOurs', { ...POINT, size: 18 }),
    ],
  };
}

interface Panel {
  readonly field: 'drawn' | 'turned';
  readonly title: string;
  /** The panel at the bottom names the axis for all. */
  readonly isLast: boolean;
}

function errorPanel(comparison: Comparison, points: readonly Point[], { field, title, isLast }: Panel): Unit {
  return {
    ...{ width: WIDTH, height: LOW },
    data: { values: [...points] },
    mark: { ...POINT, size: 34 },
    encoding: {
      x: orderAxis(comparison, isLast),
      y: {
        ...{ field, type: 'quantitative', title },
        scale: { type: 'log', nice: true, ...(field === 'turned' ? { domainMin: LEAST_TURN } : {}) },
        axis: { format: '.0e', values: decades(points.map((point) => point[field])) },
      },
      ...standingLooks(points),
      tooltip: [...pointTooltip],
    },
  };
}
