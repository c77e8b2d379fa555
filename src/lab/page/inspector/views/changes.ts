/** Changes on trial as text, for they stand in links, and back. */
import type { ChangeSpec } from '../../../inspector/experiment.ts';

export function writeChanges(changes: readonly ChangeSpec[]): string {
  return changes.length === 0 ? '' : JSON.stringify(changes);
}

/** A link may come from anybody: what is no list of changes is none. Whether each can be done, the session says. */
export function readChanges(text: string | undefined): readonly ChangeSpec[] {
  try {
    const found: unknown = JSON.parse(text || '[]');
    return Array.isArray(found) && found.every(isChange) ? found : [];
  } catch {
    return [];
  }
}

function isChange(found: unknown): found is ChangeSpec {
  if (typeof found !== 'object' || found === null) return false;
  const { tensor, how, ...numbers } = found as Readonly<Record<string, unknown>>;
  const isKnown = (key: string) => ['by', 'head', 'token', 'seed'].includes(key);
  return (
    typeof tensor === 'string' &&
    typeof how === 'string' &&
    Object.entries(numbers).every(([key, value]) => isKnown(key) && typeof value === 'number')
  );
}
