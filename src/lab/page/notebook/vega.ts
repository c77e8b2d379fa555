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
 * Draws a spec into its host, for a light or a dark page. One that writes on its marks, in an ink that does not go by them, stays
 * on white paper. Rejects with what Vega says of a spec that it cannot draw.
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
  const follows = language === 'vega-lite' && !writesOnMarks(onPaper);
  const drawn = await embed(host, (follows ? themed(onPaper, theme) : onPaper) as VisualizationSpec, options);
  // Three dots, which say nothing to those who hear the page.
  host.querySelector('summary')?.setAttribute('aria-label', 'Save this chart');
  return drawn;
}

/** Marks that texts of the same layers may lie on. */
const FILLED: ReadonlySet<unknown> = new Set(['arc', 'area', 'bar', 'circle', 'geoshape', 'image', 'rect', 'square']);

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null;

/** Whether texts of a spec lie on filled marks in one ink for all: another page's ink may not be seen there. */
function writesOnMarks(spec: unknown): boolean {
  if (!isNode(spec)) return false;
  const layers: unknown[] = Array.isArray(spec.layer) ? spec.layer : [];
  if (layers.some((each) => FILLED.has(markOf(each).type)) && layers.some(isInOneInk)) return true;
  return Object.entries(spec).some(([key, part]) => key !== 'data' && key !== 'datasets' && writesOnMarks(part));
}

/** A text that stands on what is below it, and not a little beside that. */
function isInOneInk(unit: unknown): boolean {
  const { type, dx = 0, dy = 0 } = markOf(unit);
  if (type !== 'text') return false;
  const { color, x, y } = (isNode(unit) && isNode(unit.encoding) ? unit.encoding : {}) as Node;
  const isPinned = [x, y].some((place) => isNode(place) && typeof place.value === 'number');
  const isBeside = (dx !== 0 || dy !== 0) && !isPinned;
  const goesByMark = isNode(color) && 'condition' in color;
  return !goesByMark && !isBeside;
}

function markOf(unit: unknown): Node {
  const { mark } = (isNode(unit) ? unit : {}) as Node;
  return isNode(mark) ? mark : { type: mark };
}

async function refuse(address: string): Promise<string> {
  throw new Error(`its data is at ${address}, and nothing is fetched; read the data in a cell and give them as values`);
}
