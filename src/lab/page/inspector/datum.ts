/** What a mark of a chart is of: our charts name their fields alike. */
import type { Choice } from './state.ts';

/** Fields of our charts that are parts of a choice. */
const PARTS = { token: 'token', position: 'token', query: 'token', key: 'key', layer: 'layer', head: 'head' } as const;

/**
 * The part of a choice that a mark's datum names; null where it names none. A position or head may be a number or a label that
 * begins with it, as in `3 ␣Tom`; of a block, `12–15`, it is the first. `name` is a step where there is one of that name.
 */
export function choiceOfDatum(datum: unknown, isStep: (name: string) => boolean): Partial<Choice> | null {
  if (typeof datum !== 'object' || datum === null) return null;
  const found: { -readonly [part in keyof Choice]?: Choice[part] } = {};
  const fields = datum as Readonly<Record<string, unknown>>;
  for (const [field, part] of Object.entries(PARTS)) {
    const number = wholeNumber(fields[field]);
    if (number !== null) found[part] = number;
  }
  const { name } = fields;
  if (typeof name === 'string' && isStep(name)) found.step = name;
  return Object.keys(found).length > 0 ? found : null;
}

function wholeNumber(value: unknown): number | null {
  const number = typeof value === 'string' ? Number(/^(?:head |layer )?(\d+)/.exec(value)?.[1] ?? Number.NaN) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : null;
}
