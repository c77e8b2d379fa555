/**
 * Vega-Lite and Vega charts in outputs, drawn by the version that the kernel has. JupyterLab's own extension brings an older
 * one, which compiles expressions to scripts; the page's policy forbids that, so they are interpreted here. In the dark theme
 * notebook.css turns light to dark and keeps hues, as specs name white paper and black ink.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import type { DrawnChart } from './vega.ts';

const LANGUAGES: ReadonlyMap<string, 'vega' | 'vega-lite'> = new Map([
  ['application/vnd.vegalite.v5+json', 'vega-lite'],
  ['application/vnd.vegalite.v6+json', 'vega-lite'],
  ['application/vnd.vega.v5+json', 'vega'],
  ['application/vnd.vega.v6+json', 'vega'],
]);

export const chartFactory: IRenderMime.IRendererFactory = {
  // Nothing of a spec runs as a script, and no address in it is loaded.
  safe: true,
  mimeTypes: [...LANGUAGES.keys()],
  defaultRank: 50,
  createRenderer: ({ mimeType }) => new ChartOutput(mimeType),
};

class ChartOutput extends Widget implements IRenderMime.IRenderer {
  readonly #mimeType: string;
  #drawn: DrawnChart | null = null;

  constructor(mimeType: string) {
    super();
    this.#mimeType = mimeType;
    this.addClass('chart-output');
  }

  async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    const host = document.createElement('div');
    try {
      const { drawChart } = await import('./vega.ts');
      const drawn = await drawChart(host, data[this.#mimeType], LANGUAGES.get(this.#mimeType) ?? 'vega-lite');
      if (this.isDisposed) return drawn.finalize();
      this.#drawn?.finalize();
      this.#drawn = drawn;
      this.node.replaceChildren(host);
    } catch (error) {
      this.node.replaceChildren(...still(data, error instanceof Error ? error.message : String(error)));
    }
  }

  override dispose(): void {
    this.#drawn?.finalize();
    super.dispose();
  }
}

/** The picture that the kernel sent beside the spec, and why it stands still. */
function still(data: IRenderMime.IMimeModel['data'], reason: string): Element[] {
  const note = document.createElement('p');
  note.className = 'chart-note';
  note.textContent = `Cannot draw this chart: ${reason}`;
  const svg = data['image/svg+xml'];
  if (typeof svg !== 'string') return [note];
  note.textContent = `A still picture, as the chart cannot be drawn here: ${reason}`;
  const picture = document.createElement('img');
  picture.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  picture.alt = `${data['text/plain'] ?? 'Chart'}`;
  return [picture, note];
}
