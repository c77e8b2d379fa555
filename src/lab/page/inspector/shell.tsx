/** The inspector as it stands in its pane: what is opened above, then the views. */
import type { JSX } from 'preact';
import type { LabActions } from '../shell/panes.ts';
import { Frame } from './frame.tsx';
import type { Inspector } from './state.ts';
import { views } from './views/index.ts';

export function Shell({ inspector, lab }: { readonly inspector: Inspector; readonly lab: LabActions }): JSX.Element {
  const view = views.find(({ id }) => id === inspector.view.value) ?? views[0];
  return (
    <div class="inspector" data-theme={inspector.theme.value}>
      {view && <Frame view={view} inspector={inspector} lab={lab} key={view.id} />}
    </div>
  );
}
