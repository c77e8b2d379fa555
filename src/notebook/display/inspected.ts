/**
 * Values that nobody made to be shown: text as it is, everything else as `util.inspect` spells it, without colours. Nothing
 * here throws, whatever the value does when it is looked at.
 */
import { inspect, types } from 'node:util';

/** Characters of a text that are shown; a notebook with more of them no longer opens well. */
const MOST_CHARACTERS = 100_000;
/** Elements of an array, a map or a set. */
const MOST_ELEMENTS = 100;
/** As many as tell one f32 from the next. */
const F32_DIGITS = 7;

/** The value as text. */
export function inspected(value: unknown): string {
  if (typeof value === 'string') return shortened(value);
  try {
    return shortened(isF32(value) ? f32Text(value) : inspect(value, { maxArrayLength: MOST_ELEMENTS }));
  } catch (error) {
    return `${kindName(value)} that cannot be looked at: ${messageOf(error)}`;
  }
}

/** What was thrown, in one line: `TypeError: x is not a function`. */
export function thrownText(thrown: unknown): string {
  if (!types.isNativeError(thrown)) return inspected(thrown);
  try {
    return `${thrown.name}: ${thrown.message}`;
  } catch (error) {
    return `an error that cannot be looked at: ${messageOf(error)}`;
  }
}

function isF32(value: unknown): value is Float32Array {
  return types.isFloat32Array(value);
}

/** Without the digits that an f32 only seems to have: 0.1, not 0.10000000149011612. */
function f32Text(values: Float32Array): string {
  const first = Array.from(values.subarray(0, MOST_ELEMENTS), (value) => Number(value.toPrecision(F32_DIGITS)));
  const more = values.length - first.length;
  const text = inspect(first, { maxArrayLength: null });
  const end = more > 0 ? text.replace(/\s*\]$/, `, … ${more} more$&`) : text;
  return `Float32Array(${values.length}) ${end}`;
}

/** The text, or its first `most` characters and how many there are more. */
export function shortened(text: string, most = MOST_CHARACTERS): string {
  if (text.length <= most) return text;
  const more = (text.length - most).toLocaleString('en');
  // Not through the middle of a pair of surrogates.
  const start = text.slice(0, most).replace(/[\ud800-\udbff]$/, '');
  return `${start}… ${more} more characters are not shown`;
}

function kindName(value: unknown): string {
  return typeof value === 'function' ? 'a function' : 'an object';
}

/** An error's message may be a getter that throws as well. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'and neither can the error';
  }
}
