/**
 * Ctrl-C. Nothing that a command computes is worth keeping when it is stopped, and what it was writing goes by itself
 * (src/node/whole_file.ts), so the program ends at once, wherever it is.
 */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Signal = (typeof SIGNALS)[number];

const end = (signal: Signal) => process.exit(128 + constants.signals[signal]);

/** From now on a signal ends the program with 128 + its number (Ctrl-C: 130), after process.exit()'s clearing up. */
export function exitOnSignals(): void {
  for (const signal of SIGNALS) process.on(signal, end);
}
