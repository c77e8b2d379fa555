/** What cells and outputs are drawn with: JupyterLab's renderers, our charts, Markdown with formulas. */
import { type IRenderMimeRegistry, RenderMimeRegistry, standardRendererFactories } from '@jupyterlab/rendermime';
import { chartFactory } from './chart_output.ts';
import { formulaTypesetter, markdownParser } from './markdown.ts';

/** `openNotebook` is called for links to other notebooks. */
export function createRendering(openNotebook: (path: string) => void): IRenderMimeRegistry {
  const rendering = new RenderMimeRegistry({
    initialFactories: standardRendererFactories,
    latexTypesetter: formulaTypesetter,
    markdownParser,
    linkHandler: {
      handleLink(node, path) {
        if (!path.endsWith('.ipynb')) return;
        node.addEventListener('click', (event) => {
          event.preventDefault();
          openNotebook(path);
        });
      },
    },
  });
  rendering.addFactory(chartFactory);
  return rendering;
}
