/** What charts of the logit lens read: the layers that a run looked at, and how. */
import { TraceError } from '../errors.ts';
import type { Trace } from '../trace/trace.ts';
import { layersOf } from './source.ts';

/** The layers with a lens, in order. Throws TraceError where the run had none, and says how to get one. */
export function lensLayers(trace: Trace, chart: string): number[] {
  if (trace.entries.some(({ name }) => name.startsWith('lens_ids-'))) return layersOf(trace, 'lens_ids', chart);
  throw new TraceError(
    `Cannot draw ${chart}: this run had no logit lens; start one with model.with(lens()).start(…) and run it to the end`,
  );
}

/** Whether the lens applied the model's final norm, as the manifest says; nothing where it does not. */
export function normSaid({ manifest }: Trace): string[] {
  const { transforms } = manifest;
  if (!Array.isArray(transforms)) return [];
  const lens = transforms.find((each): each is { params?: { norm?: boolean } } => each?.name === 'lens');
  if (lens?.params?.norm === undefined) return [];
  return [lens.params.norm ? 'Read through the model’s final norm' : 'Read without the model’s final norm'];
}
