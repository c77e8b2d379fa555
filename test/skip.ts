/**
 * Tests that cannot run. What this project cannot have anywhere, for a reason of its own, stands in unavailable.json, and
 * test/unavailable.test.ts keeps that list equal to what is skipped. What only this machine lacks is skipped by `have`.
 */
import { readFileSync } from 'node:fs';
import type { TestContext } from 'vitest';

export interface Unavailable {
  readonly id: string;
  /** What cannot be had. */
  readonly what: string;
  /** Why, precisely enough to notice when it no longer holds. */
  readonly reason: string;
  /** What is tested in its stead, and how far that goes. */
  readonly instead: string;
}

export const unavailableList: readonly Unavailable[] = JSON.parse(
  readFileSync(new URL('unavailable.json', import.meta.url), 'utf8'),
);

/** Skips the test because of an entry of unavailable.json. Throws where there is none: then the test has to run. */
export function skipUnavailable(context: TestContext, id: string): never {
  const entry = unavailableList.find((candidate) => candidate.id === id);
  if (!entry) throw new Error(`Cannot skip for "${id}": test/unavailable.json has no such entry`);
  return context.skip(`skipped: ${entry.what}: ${entry.reason}`);
}

/** Skips the test where `found` is missing from this machine, and gives it back otherwise. */
export function have<T>(context: Pick<TestContext, 'skip'>, found: T | undefined, what: string): T {
  if (found !== undefined) return found;
  return context.skip(`skipped: ${what}`);
}
