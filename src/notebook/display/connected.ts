/** The display of this process, where it is one in which cells run: what the modules that cells import show things on. */
import { NotebookError } from '../../errors.ts';
import type { Display } from './display.ts';

let connected: Display | null = null;

export function connectDisplay(display: Display): void {
  connected = display;
}

/** Throws NotebookError where no notebook runs. */
export function connectedDisplay(): Display {
  if (connected) return connected;
  throw new NotebookError(
    'Cannot display: this program is no notebook; run it in a cell, or print text with console.log',
  );
}
