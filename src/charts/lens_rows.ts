/** What charts of the logit lens read: the layers that a run looked at, and how. */
import { TraceError } from '../errors.ts';
import type { Trace } from '../trace/trace.ts';
import { layersOf, paramsOf, rowsOf } from './source.ts';

/** The layers with a lens, in order. Throws TraceError where the run had none, and says how to get one. */
export function lensLayers(trace: Trace, chart: string): number[] {
  if (trace.entries.some(({ name }) => name.startsWith('lens_ids-'))) return layersOf(trace, 'lens_ids', chart);
  const lens = paramsOf(trace, 'lens');
  // Then it only was not run so far.
  if (lens) rowsOf(trace, `lens_ids-${Array.isArray(lens.layers) ? lens.layers[0] : 0}`, chart);
  throw new TraceError(
    `Cannot draw ${chart}: this run had no logit lens; start one with model.with(lens()).start(…) and run it to the end`,
  );
}

/** Whether the lens applied the model's final norm, as the manifest says; nothing where it does not. */
export function normSaid(trace: Trace): string[] {
  const norm = paramsOf(trace, 'lens')?.norm;
  if (norm === undefined) return [];
  return [norm ? 'Read through the model’s final norm' : 'Read without the model’s final norm'];
}
