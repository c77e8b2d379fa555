/** Changes on trial as text, for they stand in links, and back. */
import type { TrialSpec } from '../../../inspector/requests/difference.ts';

export function writeTrials(trials: readonly TrialSpec[]): string {
  return trials.length === 0 ? '' : JSON.stringify(trials);
}

/** A link may come from anybody: what is no list of changes is none. Whether each can be done, the session says. */
export function readTrials(text: string | undefined): readonly TrialSpec[] {
  try {
    const found: unknown = JSON.parse(text || '[]');
    return Array.isArray(found) && found.every(isTrial) ? found : [];
  } catch {
    return [];
  }
}

/** The numbers that each may have. */
const NUMBERS = { change: ['by', 'head', 'token', 'seed'], replace: ['head', 'token', 'from'] } as const;

function isTrial(found: unknown): found is TrialSpec {
  if (typeof found !== 'object' || found === null) return false;
  const { tensor, how, text, ...numbers } = found as Readonly<Record<string, unknown>>;
  const known: readonly string[] = how === 'replace' ? NUMBERS.replace : NUMBERS.change;
  return (
    typeof tensor === 'string' &&
    typeof how === 'string' &&
    typeof text === (how === 'replace' ? 'string' : 'undefined') &&
    Object.entries(numbers).every(([key, value]) => known.includes(key) && typeof value === 'number')
  );
}
