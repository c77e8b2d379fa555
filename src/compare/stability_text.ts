/** What `determinism`, `firstUnstable` and `findStale` found, as text to read. */
import { layersText, placeText, shortNumber } from './checks/result.ts';
import type { Stability, Unstable } from './determinism.ts';
import type { Stale, StaleSpot } from './stale.ts';

/** Tensors that are listed as not compared; of more the number is told. */
const MOST_LISTED = 8;

export function stabilityText({ isStable, runs, tensors, unstable, first, notCompared }: Stability): string {
  const head =
    tensors === 0
      ? `${runs} runs: no tensor could be compared`
      : isStable
        ? `${runs} runs: the same, in all ${tensors} tensors that were compared`
        : `${runs} runs: not the same; ${unstable} of ${tensors} tensors differ`;
  return [head, ...(first ? unstableLines(first) : []), ...notComparedLines(notCompared)].join('\n').concat('\n');
}

function unstableLines({ name, op, layer, pass, hashes, spread, sums, usualCauses }: Unstable): string[] {
  const where = [op, ...(layer === null ? [] : [layersText([layer])]), ...(pass > 0 ? [`pass ${pass}`] : [])];
  const lines = [`First that differs: ${name} (${where.join(', ')})`];
  if (spread) {
    const { differing, n, largest, at, values, relative } = spread;
    const apart = `up to ${shortNumber(largest)} apart (${placeText(at)}: ${values.map(shortNumber).join(', ')})`;
    lines.push(`  ${differing} of ${n} elements differ, ${apart}; relative RMS ${shortNumber(relative)}`);
  } else {
    if (sums) lines.push(`  its sums: ${sums.map(shortNumber).join(', ')}`);
    if (hashes.every((hash) => hash !== null)) lines.push(`  its bits by hash: ${hashes.join(', ')}`);
  }
  return [...lines, '  usual causes, the first the likeliest:', ...usualCauses.map((cause) => `    ${cause}`)];
}

function notComparedLines(notCompared: Stability['notCompared']): string[] {
  const shown = notCompared.slice(0, MOST_LISTED).map(({ name, why }) => `Not compared: ${name}: ${why}`);
  return notCompared.length > MOST_LISTED
    ? [...shown, `Not compared: ${notCompared.length - MOST_LISTED} more`]
    : shown;
}

export function staleText({ unwritten, reader, plan, tensors }: Stale): string {
  const lines = [
    unwritten
      ? `Not written: ${spotText(unwritten)}: they keep what memory held before; later ones may too`
      : `Every step writes all of its output, in ${tensors} tensors`,
    reader
      ? `Stale memory is read: ${spotText(reader)}: ${reader.values.map(shortNumber).join(' or ')}, as memory held other numbers before` +
        (plan === 'fused' ? ', where nobody looks at the tensors and steps are fused' : '')
      : unwritten
        ? 'No other step was seen to read stale memory; after what is not written none could be'
        : 'No step reads memory that nobody wrote',
  ];
  return `${lines.join('\n')}\n`;
}

function spotText({ name, op, pass, count, n, at }: StaleSpot): string {
  return `${name} (${op}${pass > 0 ? `, pass ${pass}` : ''}), ${count} of ${n} elements, the first at ${placeText(at)}`;
}
