/** What the page's panes know of each other: the inspector of the notebook, no more. */
import type { ReadonlySignal } from '@preact/signals';

export interface LabActions {
  readonly theme: ReadonlySignal<'light' | 'dark'>;
  /** Puts code into the notebook at hand, below its active cell; where there is no notebook, on the clipboard. Says what it did. */
  insertCell(code: string): Promise<string>;
}
