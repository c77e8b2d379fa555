/** Vega, in a piece of its own: it is as large as the rest of the page, and a notebook without charts does not load it. */
import { loader } from 'vega';
import embed, { type EmbedOptions, type VisualizationSpec } from 'vega-embed';
import { expressionInterpreter } from 'vega-interpreter';
import { themed } from '../inspector/chart_theme.ts';
import type { Theme } from '../theme/theme.ts';

export interface DrawnChart {
  finalize(): void;
}

/**
 * Draws a spec into its host, for a light or a dark page. One that writes on its marks has chosen inks for those: it stays on
 * white paper. Rejects with what Vega says of a spec that it cannot draw.
 */
export async function drawChart(
  host: HTMLElement,
  spec: unknown,
  language: 'vega' | 'vega-lite',
  theme: Theme,
): Promise<DrawnChart> {
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
  const onPaper = { background: 'white', ...unversioned };
  const follows = language === 'vega-lite' && !writes(onPaper);
  const drawn = await embed(host, (follows ? themed(onPaper, theme) : onPaper) as VisualizationSpec, options);
  // Three dots, which say nothing to those who hear the page.
  host.querySelector('summary')?.setAttribute('aria-label', 'Save this chart');
  return drawn;
}

/** Whether any of a spec's marks are texts. */
function writes(spec: unknown): boolean {
  if (typeof spec !== 'object' || spec === null) return false;
  const { mark } = spec as { readonly mark?: unknown };
  const isText =
    mark === 'text' || (typeof mark === 'object' && (mark as { readonly type?: unknown } | null)?.type === 'text');
  return isText || Object.entries(spec).some(([key, part]) => key !== 'data' && key !== 'datasets' && writes(part));
}

async function refuse(address: string): Promise<string> {
  throw new Error(`its data is at ${address}, and nothing is fetched; read the data in a cell and give them as values`);
}
