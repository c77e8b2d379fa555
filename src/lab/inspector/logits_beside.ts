/** How the logits of a changed run are drawn beside those without the change: in the page, and by the cell that does the same. */
import type { LogitsBesideOptions } from '../../charts/logits_beside.ts';

export const BESIDE = {
  k: 8,
  sides: { ours: 'with the change', reference: 'without the change' },
} as const satisfies LogitsBesideOptions;
