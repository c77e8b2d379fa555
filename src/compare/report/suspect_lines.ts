/** Which faults a comparison leaves, in a few sentences: what is ruled out, what not, and the run that tells it apart. */
import { faults } from '../../engine/faults/index.ts';
import type { Comparison } from '../comparison.ts';
import { type Elimination, eliminate } from '../eliminator.ts';

/** Which faults are left; null where nothing was compared, bit by bit where rounding counts, and where a cause is named. */
export function suspectsOf(comparison: Comparison): Elimination | null {
  const { verdict, mode, cause, tensors } = comparison;
  if (verdict === 'refused' || mode === 'exact' || tensors.length === 0 || cause?.certainty === 'named') return null;
  return eliminate(comparison);
}

/** Of a divergence: what may have made it. Where nothing parts: what would not have shown, and so may be there. */
export function suspectLines(comparison: Comparison, most: number): string[] {
  const found = suspectsOf(comparison);
  if (!found || found.remaining.length === 0) return [];
  const { remaining, next } = found;
  const probe = next ? [`Next probe: ${next.sentence}`] : [];
  const names = remaining.map(({ fault }) => fault);
  if (comparison.firstDivergence === null) {
    return [
      `${remaining.length} of ${faults.length} known faults would not have shown here, or not for sure: ${listed(names, most)}`,
      ...probe,
    ];
  }
  const reasons = remaining.slice(0, most).map(({ fault, reason }) => `${fault}: ${reason}`);
  const others = names.slice(most);
  return [
    `${faults.length - remaining.length} of ${faults.length} known faults are ruled out, ${remaining.length} left; likeliest first`,
    ...reasons,
    ...(others.length > 0 ? [`then ${listed(others, 2 * most)}`] : []),
    ...probe,
  ];
}

function listed(names: readonly string[], most: number): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ');
}
