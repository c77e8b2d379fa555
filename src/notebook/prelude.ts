/** What every cell sees without an import: the public API, llama.cpp, and the display. */
import { connectedDisplay } from './display/connected.ts';
import type { DisplayHandle, DisplayOptions } from './display/display.ts';

export * from '../node/index.ts';
export { f32Twin, llamaCpp } from '../oracle/index.ts';
export type { DisplayHandle, DisplayOptions };

/**
 * Shows a value below the cell: a chart, a tensor, a run, any value, or a promise of one. What it returns can show another
 * value in the same place: `const shown = display(a); shown.update(b)`. Where the value cannot be shown, or the promise
 * rejects, the error is said on stderr and the cell goes on.
 */
export function display(value: unknown, options?: DisplayOptions): DisplayHandle {
  return connectedDisplay().display(value, options);
}

/** Shows another value wherever `display(value, { id })` showed one, in earlier cells too. */
export function updateDisplay(id: string, value: unknown): void {
  connectedDisplay().updateDisplay(id, value);
}

/** Takes away what the cell has shown so far; with `wait`, when the next output comes, so that nothing flickers. */
export function clearOutput(options?: { readonly wait?: boolean }): void {
  connectedDisplay().clearOutput(options);
}
