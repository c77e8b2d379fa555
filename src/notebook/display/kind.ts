/**
 * A kind of value and how it shows itself. One file per kind lies beside this one; bundle.ts has the list. A new kind is a
 * new file and a line there.
 */
import type { MimeBundle } from '../cells.ts';

export type Awaitable<T> = T | Promise<T>;

/** A value's forms; null where it is of this kind and shows nothing; undefined where it is of another kind. */
export type Kind = (value: object) => Awaitable<MimeBundle | null> | undefined;

/**
 * A kind from a test and what shows those that pass it. A test that throws is not passed: getters and traps are the user's,
 * and looking at a value must not fail.
 */
export function kindOf<T extends object>(
  matches: (value: object) => value is T,
  show: (value: T) => Awaitable<MimeBundle | null>,
): Kind {
  return (value) => (holds(matches, value) ? show(value) : undefined);
}

/** Values made by a class of ours. */
export function instancesOf<T extends object>(
  made: abstract new (...parts: never[]) => T,
  show: (value: T) => Awaitable<MimeBundle | null>,
): Kind {
  return kindOf((value): value is T => value instanceof made, show);
}

function holds<T extends object>(matches: (value: object) => value is T, value: object): value is T {
  try {
    return matches(value);
  } catch {
    return false;
  }
}
