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

function stackOf(error: Error): string {
  const causes: string[] = [String(error.stack ?? error)];
  let { cause } = error;
  for (let depth = 0; depth < 5 && cause !== undefined; depth++) {
    causes.push(`caused by ${isError(cause) ? String(cause.stack ?? cause) : text(cause)}`);
    cause = isError(cause) ? cause.cause : undefined;
  }
  return causes.join('\n');
}
