/** How the error grows along a run: where it begins, where it is made, and where it only goes on. */
import type { Comparison } from '../compare/comparison.ts';
import { STANDINGS } from '../compare/report/standing.ts';
import { placeText } from '../compare/report/tensor_table.ts';
import {
  decades,
  firstPoint,
  orderAxis,
  POINT,
  type Point,
  pointsOf,
  pointsSaid,
  pointTooltip,
  sidesSaid,
  standingLooks,
} from './along_run.ts';
import { type Chart, chart, type Unit } from './chart.ts';

const [WIDTH, HEIGHT] = [720, 300];

/**
 * The relative RMS error of every tensor in the order of execution, on a log scale, with its tolerance as a dashed line and
 * the first divergence by name. Rejects with TraceError where the comparison was refused, or has no values.
 */
export async function errorGrowth(comparison: Comparison): Promise<Chart> {
  const points = pointsOf(comparison, 'the growth of error');
  const first = firstPoint(comparison, points);
  return chart(
    {
      title: 'How far ours is from the reference, tensor by tensor',
      subtitle: [
        sidesSaid(comparison),
        'Dashed: how far each may be',
        ...(points.some(({ standing }) => standing === STANDINGS.inherited)
          ? ['An inherited error came in: the op itself gives what was recorded']
          : []),
        ...pointsSaid(comparison, points),
      ],
      description: `Relative RMS error of ${points.length} tensors in order of execution: ${growthSaid(comparison, points, first)}.`,
    },
    {
      width: WIDTH,
      height: HEIGHT,
      layer: [...marker(comparison, first), limits(comparison, points), ...errors(comparison, points)],
    },
  );
}

function growthSaid({ firstDivergence }: Comparison, points: readonly Point[], first: Point | undefined): string {
  const last = points.at(-1) as Point;
  const end = `${last.name} ends with ${last.error}`;
  if (first) return `they part at ${first.name} with ${first.error}, where ${first.allowed} is allowed; ${end}`;
  return firstDivergence
    ? `they part at ${firstDivergence.name}, which has no values; ${end}`
    : `they part nowhere; ${end}`;
}

/** One axis for the errors and their limits. */
function yOf(points: readonly Point[], field: 'drawn' | 'limit') {
  const all = points.flatMap(({ drawn, limit }) => (limit === null ? [drawn] : [drawn, limit]));
  return {
    field,
    type: 'quantitative',
    title: 'relative RMS error (log scale)',
    scale: { type: 'log', nice: true },
    axis: { format: '.0e', values: decades(all) },
  } as const;
}

function errors(comparison: Comparison, points: readonly Point[]): Unit[] {
  const x = orderAxis(comparison);
  const data = { values: [...points] };
  return [
    {
      data,
      mark: { type: 'line', color: '#999', strokeWidth: 1 },
      encoding: { x, y: yOf(points, 'drawn'), tooltip: [{ field: 'name', type: 'nominal', title: 'tensor' }] },
    },
    {
      data,
      mark: { ...POINT, size: 55 },
      encoding: { x, y: yOf(points, 'drawn'), ...standingLooks(points), tooltip: [...pointTooltip] },
    },
  ];
}

function limits(comparison: Comparison, points: readonly Point[]): Unit {
  return {
    data: { values: points.filter(({ limit }) => limit !== null) },
    mark: { type: 'line', interpolate: 'step', color: '#555', strokeDash: [5, 4], strokeWidth: 1.5 },
    encoding: {
      x: orderAxis(comparison),
      y: yOf(points, 'limit'),
      tooltip: [
        { field: 'name', type: 'nominal', title: 'tensor' },
        { field: 'allowed', type: 'nominal', title: 'allowed' },
      ],
    },
  };
}

/** A line at the first divergence, and its name above. */
function marker(comparison: Comparison, point: Point | undefined): Unit[] {
  const { firstDivergence: first, tensors } = comparison;
  if (!first || !point) return [];
  const place = placeText(comparison, first);
  const label = `first divergence: ${point.name}${place ? `, ${place}` : ''}`;
  const data = { values: [{ order: point.order, label }] };
  const x = orderAxis(comparison);
  const tooltip = [{ field: 'label', type: 'nominal', title: 'here' }] as const;
  const isLeft = point.order < tensors.length / 2;
  return [
    { data, mark: { type: 'rule', color: '#000', strokeWidth: 1.5 }, encoding: { x, tooltip: [...tooltip] } },
    {
      data,
      mark: {
        type: 'text',
        align: isLeft ? 'left' : 'right',
        baseline: 'bottom',
        dy: -4,
        dx: isLeft ? -4 : 4,
        fontWeight: 'bold',
      },
      encoding: { x, y: { value: 0 }, text: { field: 'label', type: 'nominal' }, tooltip: [...tooltip] },
    },
  ];
}
