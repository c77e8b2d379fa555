/** What a cell threw, as plain data. Anything can be thrown, and anything about it can fail. */
import { inspect } from 'node:util';
import { shortened } from '../display/inspected.ts';
import type { Thrown } from './wire.ts';

/** Characters of a message that are shown, and of a stack with all its causes. */
const MOST_OF_MESSAGE = 5_000;
const MOST_OF_STACK = 20_000;
/** How deep causes are followed, and how many of an AggregateError's errors. */
const MOST_CAUSES = 5;

export function thrownBy(error: unknown): Thrown {
  if (!isError(error)) {
    const message = shortened(text(error), MOST_OF_MESSAGE);
    return { name: 'Thrown', message, stack: `Thrown: ${message}` };
  }
  const name = shortened(String(read(error, 'name') || 'Error'), MOST_OF_MESSAGE);
  const message = shortened(String(read(error, 'message') ?? ''), MOST_OF_MESSAGE);
  return { name, message, stack: shortened(stackWithCauses(error, MOST_CAUSES), MOST_OF_STACK) };
}

/** An error of any realm. */
function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return inspect(value);
  } catch (failure) {
    return `what cannot be shown: ${isError(failure) ? String(read(failure, 'message')) : 'it throws'}`;
  }
}

/** A property that may be a getter that throws. */
function read(error: Error, property: 'name' | 'message' | 'stack' | 'cause' | 'errors'): unknown {
  try {
    const value: unknown = Reflect.get(error, property);
    return typeof value === 'symbol' ? value.toString() : value;
  } catch {
    return undefined;
  }
}

function stackWithCauses(error: unknown, depth: number): string {
  if (!isError(error)) return text(error);
  const parts = [ownStack(error)];
  if (depth === 0) return parts.join('\n');
  const errors = read(error, 'errors');
  const several = Array.isArray(errors) ? errors : [];
  for (const [i, each] of several.slice(0, MOST_CAUSES).entries()) {
    parts.push(`error ${i + 1} of ${several.length}: ${stackWithCauses(each, depth - 1)}`);
  }
  const cause = read(error, 'cause');
  if (cause !== undefined) parts.push(`caused by ${stackWithCauses(cause, depth - 1)}`);
  return parts.join('\n');
}

/** The heading is cut alone, so that a huge message hides no frames. */
function ownStack(error: Error): string {
  const [name, message, stack] = [read(error, 'name'), String(read(error, 'message') ?? ''), read(error, 'stack')];
  if (typeof stack !== 'string' || stack === '') return `${name || 'Error'}: ${shortened(message, MOST_OF_MESSAGE)}`;
  return message.length > MOST_OF_MESSAGE ? stack.replace(message, () => shortened(message, MOST_OF_MESSAGE)) : stack;
}
