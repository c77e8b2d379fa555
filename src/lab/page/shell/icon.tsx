/** An icon of JupyterLab's, in the colour of the text beside it. */
import type { LabIcon } from '@jupyterlab/ui-components';

export function Icon({ icon }: { readonly icon: LabIcon }) {
  return <span class="icon" aria-hidden="true" dangerouslySetInnerHTML={{ __html: icon.svgstr }} />;
}
