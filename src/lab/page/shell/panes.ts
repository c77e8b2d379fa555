/**
 * What the shell and the inspector know of each other, and nothing else: the shell gives a host element and these actions;
 * `src/lab/page/inspector/index.tsx` exports a `MountInspector` named `mountInspector`, loaded when its pane is first seen.
 *
 * The address belongs to both: `?notebook=path` is the shell's, the hash is the inspector's.
 */
import type { ReadonlySignal } from '@preact/signals';
import type { Theme } from '../theme/theme.ts';

export interface LabActions {
  /**
   * Puts a code cell below the active cell of the notebook in front, makes it active and scrolls to it. Where no notebook is
   * open, a new one is made for it. It is not run.
   */
  insertCell(code: string): void;
  /** Opens a notebook, or brings it to the front. The path is that of the contents API: below the server's root, with `/`. */
  openNotebook(path: string): void;
  /** What the page is drawn in now; charts follow. */
  readonly theme: ReadonlySignal<Theme>;
  /** The model or trace that was last chosen in the file list, by its path of the contents API; null until one is. */
  readonly chosenFile: ReadonlySignal<string | null>;
}

/** Draws the inspector into its host, which is empty, as wide and high as the pane, and stays in the page. */
export type MountInspector = (host: HTMLElement, lab: LabActions) => void;
