/** What a cell threw, as plain data. Anything can be thrown, and anything about it can fail. */
import { inspect } from 'node:util';
import type { Thrown } from './wire.ts';

export function thrownBy(error: unknown): Thrown {
  try {
    if (!isError(error)) return { name: 'Thrown', message: text(error), stack: `Thrown: ${text(error)}` };
    const { name, message } = error;
    return { name: String(name || 'Error'), message: String(message), stack: stackOf(error) };
  } catch (failure) {
    const message = `what was thrown cannot be shown: ${failure instanceof Error ? failure.message : 'it throws'}`;
    return { name: 'Thrown', message, stack: message };
  }
}

/** An error of any realm. */
function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value);
}

/** How far causes of causes are told. */
const DEEPEST = 5;

/** Its stack, that of its cause, and of the errors that it gathers itself. */
function stackOf(error: Error, depth = 0): string {
  const own = typeof error.stack === 'string' ? error.stack : String(error);
  if (depth === DEEPEST) return own;
  const told = (value: unknown) => (isError(value) ? stackOf(value, depth + 1) : text(value));
  const cause = error.cause === undefined ? [] : [`caused by ${told(error.cause)}`];
  const gathered = depth === 0 && error instanceof AggregateError ? error.errors : [];
  return [own, ...cause, ...gathered.map((each, i) => `error ${i + 1} of ${gathered.length}: ${told(each)}`)].join(
    '\n',
  );
}
