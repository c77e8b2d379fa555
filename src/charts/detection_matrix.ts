/** Which evidence notices which fault in which probe: a square for each, probe by probe. */
import {
  type DetectionCell,
  type DetectionMatrix,
  type EvidenceName,
  evidenceKinds,
  isNoticed,
  type Missed,
} from '../compare/detection_matrix.ts';
import { CATEGORIES, type Chart, chart, FOUR_DIGITS, rounded } from './chart.ts';

/** Pixels of a square. */
const STEP = 14;

/** What a square says, and its colour: what is missed stands out, what cannot be seen stands back. */
const STATES = {
  noticed: { label: 'noticed', colour: CATEGORIES[0] },
  missed: { label: 'missed, though other evidence notices the fault', colour: CATEGORIES[4] },
  hidden: { label: 'bits differ, and nothing notices it', colour: '#cfe6f7' },
  blind: { label: 'no bit differs: this text cannot show the fault', colour: '#ececec' },
} as const;

/**
 * Faults downwards in the order of a pass, a panel for each probe, and in it a column for each kind of evidence: first
 * those at the first tensor that differs, then those at the end of the pass.
 */
export function detectionMatrix(matrix: DetectionMatrix): Chart {
  const { model, rows, probes, leftOut, noticed } = matrix;
  const states = Object.values(STATES);
  const values = rows.flatMap(({ fault, cells }) => cells.flatMap((cell) => squaresOf(fault, cell)));
  const header = { labelFontSize: 12, labelFontWeight: 'bold', titleFontSize: 12 } as const;
  return chart(
    {
      title: 'What shows a fault, and what misses it',
      subtitle: [
        `${rows.length} faults in ${fileOf(model)}, one at a time, each run through ${probes.length} texts and compared with the healthy run`,
        ...elsewhereSaid(matrix),
        'Left in a panel: evidence at the first tensor that differs; right: at the end of the pass. An RMS notices a move of 1 % or more',
        `Something notices ${noticed} of the ${rows.length * probes.length} combinations, and the relative RMS error all but ${countOf(matrix, 'relative RMS error').missed} of them`,
        missedSaid(matrix, ['RMS', 'sum']),
        `Looking only at the end, ${missedSaid(matrix, ['last-layer RMS', 'argmax'])}`,
        ...(leftOut.length > 0 ? [`Not tried: ${leftOut.map(({ name }) => name).join(', ')}`] : []),
      ],
      description: `Grid of ${rows.length} faults by ${probes.length} probes and ${evidenceKinds.length} kinds of evidence. Of ${noticed} combinations that something notices, ${missedSaid(matrix, ['RMS', 'sum', 'last-layer RMS', 'argmax'])}.`,
    },
    {
      data: { values },
      facet: { column: { field: 'probe', type: 'nominal', sort: [...probes], title: null, header } },
      spacing: 14,
      spec: {
        width: { step: STEP },
        height: { step: STEP },
        mark: { type: 'rect', aria: false },
        encoding: {
          x: {
            ...{ field: 'evidence', type: 'nominal', title: 'evidence', sort: evidenceKinds.map(({ name }) => name) },
            scale: { paddingInner: 0.12 },
            axis: { orient: 'top', labelAngle: -90, ticks: false, domain: false, labelLimit: 300 },
          },
          y: {
            ...{ field: 'fault', type: 'nominal', title: 'fault', sort: rows.map(({ fault }) => fault) },
            scale: { paddingInner: 0.12 },
            axis: { ticks: false, domain: false, labelLimit: 300 },
          },
          color: {
            ...{ field: 'state', type: 'nominal', title: 'this evidence, of this fault in this text' },
            scale: { domain: states.map(({ label }) => label), range: states.map(({ colour }) => colour) },
            legend: { orient: 'bottom', direction: 'vertical', symbolType: 'square', labelLimit: 600 },
          },
          tooltip: [
            { field: 'fault', type: 'nominal', title: 'fault' },
            { field: 'probe', type: 'nominal', title: 'text' },
            { field: 'first', type: 'nominal', title: 'first tensor that differs' },
            { field: 'evidence', type: 'nominal', title: 'evidence' },
            { field: 'value', type: 'quantitative', title: 'its number', format: FOUR_DIGITS },
            { field: 'state', type: 'nominal', title: 'which is' },
          ],
        },
      },
    },
  );
}

function squaresOf(fault: string, cell: DetectionCell) {
  const { probe, firstTensor, evidence } = cell;
  return evidenceKinds.map(({ name }) => {
    const { value } = evidence[name];
    const number = value === null ? {} : { value: rounded(value) };
    return { fault, probe, first: firstTensor ?? 'none', evidence: name, ...number, state: stateOf(cell, name).label };
  });
}

function stateOf(cell: DetectionCell, name: EvidenceName) {
  if (cell.evidence[name].noticed) return STATES.noticed;
  if (cell.firstTensor === null) return STATES.blind;
  return isNoticed(cell) ? STATES.missed : STATES.hidden;
}

const countOf = ({ missed }: DetectionMatrix, name: EvidenceName): Missed =>
  missed.find(({ evidence }) => evidence === name) ?? { evidence: name, missed: 0, missedLarge: 0 };

/** `RMS alone misses 60 (38 where the tensor is off by 10 % or more), sum 18 (14)` */
function missedSaid(matrix: DetectionMatrix, names: readonly EvidenceName[]): string {
  return names
    .map((name, i) => {
      const { missed, missedLarge } = countOf(matrix, name);
      return i === 0
        ? `${name} alone misses ${missed} (${missedLarge} of them with the tensor off by 10 % or more)`
        : `${name} ${missed} (${missedLarge})`;
    })
    .join(', ');
}

/** Faults that another model took. */
function elsewhereSaid({ model, rows }: DetectionMatrix): string[] {
  return rows.flatMap((row) => (row.model === model ? [] : [`Of these ${row.fault} in ${fileOf(row.model)}`]));
}

function fileOf(path: string): string {
  return path.replace(/^.*[\\/]/, '');
}
