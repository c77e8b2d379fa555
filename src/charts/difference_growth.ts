/** How far a change made on purpose goes: every tensor of a run against the same of the run without it, in the order of execution. */
import { type Distance, distancesOf } from '../compare/distances.ts';
import { TraceError } from '../errors.ts';
import type { Trace } from '../trace/trace.ts';
import { orderAxis } from './along_run.ts';
import { CATEGORIES, type Chart, chart, percent, rounded, type Unit } from './chart.ts';
import { mustBeOfOneText, rowsOf, type Source, textOf, traceOf } from './source.ts';

/** What a saved notebook bears. */
const MOST_POINTS = 1000;
const [WIDTH, HEIGHT] = [620, 240];
const CHART = 'the growth of a difference';

interface Point {
  readonly order: number;
  readonly name: string;
  readonly op: string;
  readonly layer: number | null;
  readonly pass: number;
  /** ‖ours − reference‖ / ‖reference‖, and never more than is drawn. */
  readonly difference: number;
  readonly said: string;
  readonly kind: (typeof KINDS)[number];
}

const KINDS = ['what a layer leaves (l_out)', 'everything between'] as const;

/**
 * The relative RMS difference of every tensor that both runs have values of, with the first that differs by name. Throws
 * TraceError where they have none in common, or are over different tokens.
 */
export async function differenceGrowth(ours: Source, reference: Source): Promise<Chart> {
  const [trace, other] = [traceOf(ours), traceOf(reference)];
  const distances = await distancesBetween(trace, other);
  const points = pointsOf(distances);
  const first = distances.findIndex(({ relativeRmsError }) => relativeRmsError !== 0);
  const missing = trace.entries.length - distances.length;
  const broken = distances.filter(({ relativeRmsError }) => !Number.isFinite(relativeRmsError)).length;
  return chart(
    {
      title: 'How far the change goes, tensor by tensor',
      subtitle: [
        textOf(trace),
        '0 %: as in the run without it. 100 %: the difference is as large as the tensor was',
        ...(points.length < distances.length
          ? [`Of every ${blockOf(distances)} neighbours the one that differs most`]
          : []),
        ...(missing > 0 ? [`${missing} tensors without values in both runs are not drawn`] : []),
        ...(broken > 0 ? [`${broken} without a finite difference, from NaN, Inf or 0, are drawn at the top`] : []),
      ],
      description: `Relative RMS difference of ${points.length} tensors in order of execution: ${growthSaid(distances, first)}.`,
    },
    { width: WIDTH, height: HEIGHT, layer: [...marker(distances, first), ...marks(distances, points)] },
  );
}

async function distancesBetween(trace: Trace, other: Trace): Promise<Distance[]> {
  for (const each of [trace, other]) rowsOf(each, 'embd', CHART);
  mustBeOfOneText(trace, other, CHART);
  const distances = await distancesOf(trace, other);
  if (distances.length > 0) return distances;
  throw new TraceError(
    `Cannot draw ${CHART}: no tensor has values in both runs; start both with select: 'all', or a larger budget`,
  );
}

const blockOf = ({ length }: readonly Distance[]) => Math.ceil(length / MOST_POINTS);

function pointsOf(distances: readonly Distance[]): Point[] {
  const finite = distances.map(({ relativeRmsError }) => relativeRmsError).filter(Number.isFinite);
  const most = 1.1 * Math.max(1e-6, ...finite);
  const size = blockOf(distances);
  const placed = distances.map(({ name, op, layer, pass, relativeRmsError }, order): Point => {
    const difference = Number.isFinite(relativeRmsError) ? rounded(relativeRmsError) : rounded(most);
    const said = Number.isFinite(relativeRmsError) ? differencePercent(relativeRmsError) : 'not finite';
    const kind = layer !== null && name === `l_out-${layer}` ? KINDS[0] : KINDS[1];
    return { order, name, op, layer, pass, difference, said, kind };
  });
  return Array.from({ length: Math.ceil(placed.length / size) }, (_, i) =>
    placed.slice(i * size, (i + 1) * size).reduce((a, b) => (b.difference > a.difference ? b : a)),
  );
}

/** Unlike a share it may be more than 100 %. */
function differencePercent(difference: number): string {
  return difference > 1 ? `${Math.round(100 * difference)} %` : percent(difference);
}

function growthSaid(distances: readonly Distance[], first: number): string {
  const begins = distances[first];
  const ends = distances.at(-1) as Distance;
  if (!begins) return 'none differs';
  const of = ({ name, relativeRmsError }: Distance) => `${name} with ${differencePercent(relativeRmsError)}`;
  return `the first to differ is ${of(begins)}, the last is ${of(ends)}`;
}

function marks(distances: readonly Distance[], points: readonly Point[]): Unit[] {
  const x = orderAxis({ tensors: distances });
  const y = {
    field: 'difference',
    type: 'quantitative',
    title: 'relative RMS difference (% of the tensor)',
    axis: { format: '.3~%', tickCount: 6 },
  } as const;
  const tooltip = [
    { field: 'name', type: 'nominal', title: 'tensor' },
    { field: 'op', type: 'nominal', title: 'op' },
    { field: 'said', type: 'nominal', title: 'relative RMS difference' },
  ] as const;
  const data = { values: [...points] };
  return [
    {
      data,
      mark: { type: 'line', color: '#999', strokeWidth: 1 },
      encoding: { x, y, tooltip: [{ field: 'name', type: 'nominal', title: 'tensor' }] },
    },
    {
      data,
      mark: { type: 'point', filled: true, opacity: 1, aria: false, cursor: 'pointer' },
      encoding: {
        x,
        y,
        color: {
          ...{ field: 'kind', type: 'nominal', title: 'tensor' },
          scale: { domain: [...KINDS], range: [CATEGORIES[1], CATEGORIES[0]] },
          legend: { orient: 'bottom' },
        },
        size: { condition: { test: `datum.kind === '${KINDS[0]}'`, value: 90 }, value: 26 },
        tooltip: [...tooltip],
      },
    },
  ];
}

/** A line where the two runs part, and the tensor's name above. */
function marker(distances: readonly Distance[], first: number): Unit[] {
  const at = distances[first];
  if (!at) return [];
  const x = orderAxis({ tensors: distances });
  const data = { values: [{ order: first, label: `changed from here: ${at.name}` }] };
  const tooltip = [{ field: 'label', type: 'nominal', title: 'here' }] as const;
  const isLeft = first < distances.length / 2;
  return [
    { data, mark: { type: 'rule', color: '#000', strokeWidth: 1.5 }, encoding: { x, tooltip: [...tooltip] } },
    {
      data,
      mark: {
        ...{ type: 'text', baseline: 'bottom', dy: -4, fontWeight: 'bold' },
        ...(isLeft ? { align: 'left', dx: -4 } : { align: 'right', dx: 4 }),
      },
      encoding: { x, y: { value: 0 }, text: { field: 'label', type: 'nominal' }, tooltip: [...tooltip] },
    },
  ];
}
