/** A view of the inspector: one file in views/ each, and a line in views/index.ts. */
import type { JSX } from 'preact';
import type { Tensor } from '../../../trace/tensor.ts';
import type { Inspector } from './state.ts';

export interface View {
  /** In links, and in `data-view` of its element. */
  readonly id: string;
  /** On its tab, a word or two. */
  readonly title: string;
  /** One sentence for somebody who has never seen it. */
  readonly says: string;
  /** Draws from the inspector's signals; asks the session for what it needs. */
  readonly Body: (props: { readonly inspector: Inspector }) => JSX.Element;
  /** The code that makes this view in a notebook; null while there is nothing to show. */
  cell(inspector: Inspector): string | null;
  /** The numbers behind it, for the Arrow export; null while there is nothing to show. */
  tensors(inspector: Inspector): Promise<readonly Tensor[]> | null;
}
