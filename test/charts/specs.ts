/** Traces made by hand for tests of charts, and what a finished spec holds. */
import { parse, resetSVGDefIds, View } from 'vega';
import { compile } from 'vega-lite';
import type { Chart } from '../../src/charts/index.ts';
import { statisticsOf } from '../../src/trace/statistics.ts';
import { type EndRecord, type Manifest, RowTrace, type TraceRow } from '../../src/trace/trace.ts';
import { traceRow } from '../trace/rows.ts';

export interface Given {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | readonly number[];
  readonly dims?: readonly string[];
  readonly pass?: number;
  readonly pos0?: number;
}

/** A trace that holds these tensors; the number at a name's end is its layer. */
export function traceWith(given: readonly Given[], manifest: Manifest = {}, end: EndRecord | null = null): RowTrace {
  const values = new Map<TraceRow, Float32Array>();
  for (const [seq, { name, shape, data, dims = ['token', 'embd'], pass = 0, pos0 = 0 }] of given.entries()) {
    const f32 = Float32Array.from(data);
    const layer = /-(\d+)$/.exec(name);
    const about = { name, seq, pass, pos0, shape, dims, layer: layer ? Number(layer[1]) : null };
    values.set(traceRow({ ...about, statistics: statisticsOf(f32) }), f32);
  }
  return new RowTrace({
    manifest,
    end,
    entries: [...values.keys()],
    values: async (row) => values.get(row) as Float32Array,
    source: 'a trace made by hand',
  });
}

export type Row = Readonly<Record<string, unknown>>;

/** The rows of every data set in a spec, in the order of its panels. */
export function rowsIn(chart: Chart): Row[] {
  const rows: Row[] = [];
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    const { data } = part as { data?: { values?: Row[] } };
    if (Array.isArray(data?.values)) rows.push(...data.values);
    for (const [key, inner] of Object.entries(part)) if (key !== 'data') visit(inner);
  };
  visit(chart);
  return rows;
}

/** What the compiler of Vega-Lite warns of; a chart must give it no reason. */
export function warningsOf(chart: Chart): string[] {
  const warnings: string[] = [];
  const note = (...texts: readonly unknown[]) => {
    warnings.push(texts.join(' '));
    return logger;
  };
  const logger = { level: () => logger, error: note, warn: note, info: () => logger, debug: () => logger };
  compile(chart, { logger: logger as never });
  return warnings;
}

/** Everything that is written above a chart, as one text. */
export function captionOf(chart: Chart): string {
  const { text, subtitle } = chart.title as { text: string; subtitle: string[] };
  return [text, ...subtitle].join('\n');
}

/** A chart as SVG, drawn as in Node: text is measured by letters, not by a font. */
export async function svgOf(chart: Chart): Promise<string> {
  resetSVGDefIds();
  const view = new View(parse(compile(chart).spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
