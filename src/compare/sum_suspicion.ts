/**
 * Of a table of sums: which fault would give the whole column. Nothing can be run on inputs that nobody kept, so each fault is
 * put into the model and the text run from its beginning; a column that it reproduces tensor by tensor, where all other faults
 * do not, makes it suspect. It is no more than that: sums hide what cancels.
 */
import type { Model } from '../engine/model.ts';
import { mustGoOn, type Watched } from '../engine/watched.ts';
import { passesOf } from '../trace/passes.ts';
import { short } from '../trace/plain_text.ts';
import type { Cause, Divergence, Suspect } from './comparison.ts';
import type { Recorded } from './isolation.ts';
import { columnOf, distanceOf, sumsOf } from './sum_column.ts';
import { type Faulty, faultyModels, suspectsAt } from './suspects.ts';

/** How many times nearer than a healthy model a fault must come to the column, and than all faults that are no ties. */
const CLEARLY = 10;

/** What f32 may leave of a sum, relative to RMS · √n: twice DESIGN's 1e-5 end to end. */
const LEAST_NOISE = 2e-5;

/**
 * The fault that gives the sums of ours best, where it does so ten times better than a healthy model. Null where none does, and
 * where ours does not tell its tokens. Throws InterruptedError where it is stopped.
 */
export async function sumSuspicion(
  divergence: Divergence,
  { ours }: { readonly ours: Recorded },
  healthy: Model,
  watched: Watched,
): Promise<Cause | null> {
  const { trace, label } = ours;
  const column = columnOf(trace, healthy);
  const tokens = trace.manifest.tokens ?? [];
  if (column.length === 0 || tokens.length === 0) return null;
  const scene = { config: healthy.config, layer: divergence.layer, heads: [], pos0: passesOf(trace).at(-1)?.pos0 ?? 0 };
  const suspects = faultyModels(healthy, suspectsAt(scene));
  const plain = distanceOf(column, await sumsOf(healthy, tokens, trace));
  const ranked: { readonly suspect: Suspect; readonly error: number }[] = [];
  for (const { suspect, model } of suspects.filter((each) => reaches(each, healthy, divergence.name))) {
    mustGoOn(watched.stop, 'rank the faults by their sums', 'compare again, or with cause: false');
    ranked.push({ suspect, error: distanceOf(column, await sumsOf(model, tokens, trace)) });
  }
  ranked.sort((a, b) => a.error - b.error);
  const [best, ...others] = ranked;
  if (!best || CLEARLY * Math.max(best.error, LEAST_NOISE) > plain) return null;
  const clear = CLEARLY * Math.max(best.error, LEAST_NOISE);
  const ties = others.filter(({ error }) => error < clear).map(({ suspect }) => suspect);
  const next = others.find(({ error }) => error >= clear);
  const nextBest =
    next && next.error < plain ? { what: next.suspect.fault, error: next.error } : { what: 'healthy', error: plain };
  return {
    ...best.suspect,
    ...{ also: null, at: { name: divergence.name, pass: divergence.pass }, reproducedTo: best.error, nextBest, ties },
    sentence:
      `with ${best.suspect.fault} our model gives the ${column.length} sums of ${label} to ${short(best.error)} of their size, ` +
      `every other candidate ≥ ${short(nextBest.error)} (${nextBest.what})` +
      `${ties.length > 0 ? `; as near come ${ties.map(({ fault }) => fault).join(', ')}` : ''}; sums alone are no proof`,
    certainty: 'suspected',
  };
}

/** Whether a fault changes a step up to the tensor where the two part: what comes after cannot be its first. */
function reaches({ model }: Faulty, { steps }: Model, name: string): boolean {
  const made = new Map(model.steps.map((step) => [step.name, step]));
  const end = steps.findIndex((step) => step.name === name);
  return steps.slice(0, end + 1).some((step) => made.get(step.name) !== step);
}
