/** What `detectionMatrix` found, as text to read: a line for each fault, a letter for each evidence that notices it. */
import { table } from '../trace/plain_text.ts';
import { type DetectionCell, type DetectionMatrix, evidenceKinds, isNoticed } from './detection_matrix.ts';

/** One letter for each kind of evidence, in its order. */
const LETTERS = 'SFMCELKA';

export function detectionText({ model, rows, probes, missed, noticed, leftOut }: DetectionMatrix): string {
  const head = ['fault', ...probes, 'first tensor that differs'];
  const lines = rows.map(({ fault, cells }) => [fault, ...cells.map(cellText), firstsText(cells)]);
  const kinds = evidenceKinds.map(({ name, noticed: when }, i) => {
    const count = missed.find(({ evidence }) => evidence === name);
    return [`  ${LETTERS[i]}`, name, `${count?.missed ?? 0}`, `${count?.missedLarge ?? 0}`, when];
  });
  return [
    `${model.replace(/^.*[\\/]/, '')}: ${rows.length} faults, ${probes.length} probes`,
    table([head, ...lines]),
    [
      'A letter: this evidence notices the fault. A dot: it misses what another notices. –: no bit differs, so no',
      'evidence can. =: bits differ, and nothing notices it. A decode is looked at in its own pass.',
    ].join('\n'),
    `What each would have missed alone, of the ${noticed} cells in which something notices the fault; and of these, where the first tensor is off by 10 % or more:`,
    table([['', 'evidence', 'missed', 'large', 'it notices'], ...kinds], ['left', 'left', 'right', 'right']),
    ...(leftOut.length > 0 ? [`Left out:\n${leftOut.map(({ name, why }) => `  ${name}: ${why}`).join('\n')}`] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

function cellText(cell: DetectionCell): string {
  if (cell.firstTensor === null) return '–';
  if (!isNoticed(cell)) return '=';
  return evidenceKinds.map(({ name }, i) => (cell.evidence[name].noticed ? LETTERS[i] : '·')).join('');
}

/** Where probes show it in different tensors, all of them. */
function firstsText(cells: readonly DetectionCell[]): string {
  return [...new Set(cells.flatMap(({ firstTensor }) => firstTensor ?? []))].join(', ');
}
