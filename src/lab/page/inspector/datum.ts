/** What a mark of a chart is of: our charts name their fields alike. */
import type { Choice } from './state.ts';

type Read = (value: unknown) => number | null;

/** A whole number, or none. */
const number: Read = (value) => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : null);

/** A position, by its number or its label: `3 ␣Tom`. A token drawn twice is told apart by its id, `3 #345`, and is no position. */
const position: Read = (value) => number(labelled(/^(\d+) (?!#\d+$)/, value));

/** The same, or the first of a block: `12–15`. */
const positions: Read = (value) => position(value) ?? number(labelled(/^(\d+)–\d+$/, value));

function labelled(label: RegExp, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, digits] = label.exec(value) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** By the fields of our charts: which part of a choice they are, and how they are read. */
const FIELDS: readonly (readonly [field: string, part: Exclude<keyof Choice, 'step'>, read: Read])[] = [
  ['token', 'token', position],
  ['position', 'token', position],
  ['after', 'token', positions],
  ['query', 'token', positions],
  ['key', 'key', positions],
  ['layer', 'layer', number],
  ['head', 'head', number],
];

/** The part of a choice that a mark's datum names; null where it names none. `name` is a step where there is one of that name. */
export function choiceOfDatum(datum: unknown, isStep: (name: string) => boolean): Partial<Choice> | null {
  if (typeof datum !== 'object' || datum === null) return null;
  const fields = datum as Readonly<Record<string, unknown>>;
  const found: { -readonly [part in keyof Choice]?: Choice[part] } = {};
  for (const [field, part, read] of FIELDS) {
    const value = read(fields[field]);
    if (value !== null) found[part] = value;
  }
  const { name } = fields;
  if (typeof name === 'string' && isStep(name)) found.step = name;
  return Object.keys(found).length > 0 ? found : null;
}
