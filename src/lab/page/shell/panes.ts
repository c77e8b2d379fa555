/**
 * What the page's panes know of each other: the inspector of the shell and the notebooks, no more.
 *
 * The address belongs to both: `?notebook=path` is the shell's, the hash is the inspector's.
 */
import type { ReadonlySignal } from '@preact/signals';
import type { Theme } from '../theme/theme.ts';

export interface LabActions {
  /** What the page is drawn in now; charts follow. */
  readonly theme: ReadonlySignal<Theme>;
  /** The model or trace that was last chosen in the file list, by its path below the server's root; null until one is. */
  readonly chosenFile: ReadonlySignal<string | null>;
  /**
   * Puts code into the notebook at hand, below its active cell, and shows it; where no notebook is open, into a new one; where
   * none can be made, on the clipboard. It is not run. Says what it did.
   */
  insertCell(code: string): Promise<string>;
  /** Opens a notebook, or brings it to the front, by its path below the server's root. */
  openNotebook(path: string): void;
}
