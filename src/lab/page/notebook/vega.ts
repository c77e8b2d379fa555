/** Vega, in a piece of its own: it is as large as the rest of the page, and a notebook without charts does not load it. */
import { loader } from 'vega';
import embed, { type EmbedOptions, type VisualizationSpec } from 'vega-embed';
import { expressionInterpreter } from 'vega-interpreter';

export interface DrawnChart {
  finalize(): void;
}

/** Draws a spec into its host. Rejects with what Vega says of a spec that it cannot draw. */
export async function drawChart(host: HTMLElement, spec: unknown, language: 'vega' | 'vega-lite'): Promise<DrawnChart> {
  const options: EmbedOptions = {
    mode: language,
    renderer: 'svg',
    actions: { export: true, source: false, compiled: false, editor: false },
    ast: true,
    expr: expressionInterpreter,
    // Charts hold their data; an address in a spec is not fetched, as the page talks to its server alone.
    loader: { ...loader(), load: refuse },
  };
  // The kernel sends Vega-Lite as version 5, which Jupyter knows; the language is that of 6, and Vega would warn.
  const { $schema: _, ...unversioned } = spec as VisualizationSpec & { $schema?: string };
  const drawn = await embed(host, unversioned as VisualizationSpec, options);
  // Three dots, which say nothing to those who hear the page.
  host.querySelector('summary')?.setAttribute('aria-label', 'Save this chart');
  return drawn;
}

async function refuse(address: string): Promise<string> {
  throw new Error(`its data is at ${address}, and nothing is fetched; read the data in a cell and give them as values`);
}
