/**
 * Vega-Lite and Vega charts in outputs, drawn by the version that the kernel has. JupyterLab's own extension brings an older
 * one, which compiles expressions to scripts; the page's policy forbids that, so they are interpreted here. They are drawn again
 * when the theme changes.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';
import { effect } from '@preact/signals';
import { type Theme, theme } from '../theme/theme.ts';
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
  #stopFollowing = () => {};
  /** Counts drawings: one that was overtaken by the next is thrown away. */
  #turn = 0;

  constructor(mimeType: string) {
    super();
    this.#mimeType = mimeType;
    this.addClass('chart-output');
  }

  /** Resolves when the chart is drawn for the first time. */
  renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
    this.#stopFollowing();
    let drawn = Promise.resolve();
    this.#stopFollowing = effect(() => {
      drawn = this.#draw(data, theme.value);
    });
    return drawn;
  }

  override dispose(): void {
    this.#stopFollowing();
    this.#drawn?.finalize();
    super.dispose();
  }

  async #draw(data: IRenderMime.IMimeModel['data'], page: Theme): Promise<void> {
    const turn = ++this.#turn;
    const host = document.createElement('div');
    try {
      const { drawChart } = await import('./vega.ts');
      const spec = data[this.#mimeType];
      const drawn = await drawChart(host, spec, LANGUAGES.get(this.#mimeType) ?? 'vega-lite', page);
      if (this.isDisposed || turn !== this.#turn) return drawn.finalize();
      this.#drawn?.finalize();
      this.#drawn = drawn;
      this.node.replaceChildren(host);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.node.replaceChildren(...still(data, error instanceof Error ? error.message : String(error)));
    }
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
